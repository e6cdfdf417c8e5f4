//! A program, linked and ready to be instantiated.

use crate::compile::Code;
use crate::guest::{Guest, ModuleGuest};
use crate::sockets;
use wasmtime::component::{Component, Linker as ComponentLinker};
use wasmtime::{Engine, InstancePre, Linker as ModuleLinker, Module};
use wasmtime_wasi::p2::bindings::CommandPre;
use wasmtime_wasi_http::p2::bindings::ProxyPre;

/// What a program is, by its exports.
pub(crate) enum Program {
    /// A component with `wasi:cli/run` 0.2.
    Command(CommandPre<Guest>),
    /// A component with `wasi:http/incoming-handler` 0.2.
    Http(ProxyPre<Guest>),
    /// A core module with `_start` (wasip1).
    Module(InstancePre<ModuleGuest>),
}

/// Everything the host offers to programs.
pub(crate) struct Linkers {
    component: ComponentLinker<Guest>,
    module: ModuleLinker<ModuleGuest>,
}

impl Linkers {
    pub(crate) fn new(engine: &Engine) -> wasmtime::Result<Self> {
        let mut component = ComponentLinker::new(engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut component)?;
        wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut component)?;
        sockets::add_to_linker(&mut component, Guest::net)?;
        let mut module = ModuleLinker::new(engine);
        wasmtime_wasi::p1::add_to_linker_async(&mut module, ModuleGuest::wasi)?;
        Ok(Linkers { component, module })
    }

    /// Links `code`; the error says what it is or lacks.
    pub(crate) fn link(&self, code: &Code) -> Result<Program, String> {
        match code {
            Code::Component(component) => self.link_component(component),
            Code::Module(module) => self.link_module(module),
        }
    }

    fn link_component(&self, component: &Component) -> Result<Program, String> {
        let exports = exports(component);
        let has = |name: &str| exports.iter().any(|export| export.starts_with(name));
        let (http, command) = (has("wasi:http/incoming-handler@0.2."), has("wasi:cli/run@0.2."));
        if !http && !command {
            return Err(match exports.as_slice() {
                [] => "it exports nothing; a component must export wasi:cli/run (a command) \
                       or wasi:http/incoming-handler (an HTTP handler)"
                    .into(),
                names => format!(
                    "it exports {}, but neither wasi:cli/run@0.2 nor wasi:http/incoming-handler@0.2; \
                     is it built for another world?",
                    names.join(", ")
                ),
            });
        }
        let missing = |error| format!("it imports what this runtime does not have: {error:#}");
        let linked = self.component.instantiate_pre(component).map_err(missing)?;
        if http { ProxyPre::new(linked).map(Program::Http) } else { CommandPre::new(linked).map(Program::Command) }
            .map_err(|error| format!("its exports do not have the types of WASI 0.2: {error:#}"))
    }

    fn link_module(&self, module: &Module) -> Result<Program, String> {
        if module.get_export("_start").is_none() {
            return Err("it is a core module without _start; build it as a program (wasm32-wasip1) or as a \
                        component (wasm32-wasip2)"
                .into());
        }
        let missing = |error| format!("it imports what wasip1 does not have: {error:#}");
        self.module.instantiate_pre(module).map(Program::Module).map_err(missing)
    }
}

fn exports(component: &Component) -> Vec<String> {
    component.component_type().exports(component.engine()).map(|(name, _)| name.to_owned()).collect()
}
