//! What the host keeps for one instance of a program.

use crate::limiter::{Limiter, MemoryAccount};
use crate::limits::{HANDLES_MAX, HEADER_BYTES_MAX, HOSTCALL_BYTES_MAX, RANDOM_BYTES_MAX, RESOURCES_MAX};
use crate::outbound::Outbound;
use crate::sockets::NetView;
use crate::stdio::Output;
use runtime_base::path::{confined, create_dir};
use runtime_spec::{BackendError, LogStream, Mount, Sandbox, Workload};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use wasmtime::component::ResourceTable;
use wasmtime::{Engine, Store};
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

/// The host's side of a component's instance.
pub(crate) struct Guest {
    table: ResourceTable,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    outbound: Outbound,
    limiter: Limiter,
}

/// The host's side of a core module's instance.
pub(crate) struct ModuleGuest {
    wasi: WasiP1Ctx,
    limiter: Limiter,
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for Guest {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks: &mut self.outbound }
    }
}

impl Guest {
    /// What `wasi:sockets` works on.
    pub(crate) fn net(&mut self) -> NetView<'_> {
        NetView { table: &mut self.table, network: self.outbound.network() }
    }
}

impl ModuleGuest {
    /// What the wasip1 functions work on.
    pub(crate) fn wasi(&mut self) -> &mut WasiP1Ctx {
        &mut self.wasi
    }
}

/// A bounded store for one instance of a component.
pub(crate) fn component_store(
    engine: &Engine,
    sandbox: &Arc<Sandbox>,
    workload: &Workload,
    memory: &Arc<MemoryAccount>,
) -> Result<Store<Guest>, BackendError> {
    let mut table = ResourceTable::new();
    table.set_max_capacity(RESOURCES_MAX);
    let mut http = WasiHttpCtx::new();
    http.set_field_size_limit(HEADER_BYTES_MAX);
    let guest = Guest {
        table,
        wasi: context(sandbox, workload)?.build(),
        http,
        outbound: Outbound::new(sandbox.clone()),
        limiter: Limiter::new(memory.clone()),
    };
    let mut store = Store::new(engine, guest);
    store.limiter(|guest| &mut guest.limiter);
    store.set_hostcall_fuel(HOSTCALL_BYTES_MAX);
    store.set_max_component_handles(HANDLES_MAX);
    interruptible(&mut store);
    Ok(store)
}

/// A bounded store for a core module.
pub(crate) fn module_store(
    engine: &Engine,
    sandbox: &Sandbox,
    workload: &Workload,
    memory: &Arc<MemoryAccount>,
) -> Result<Store<ModuleGuest>, BackendError> {
    let guest = ModuleGuest { wasi: context(sandbox, workload)?.build_p1(), limiter: Limiter::new(memory.clone()) };
    let mut store = Store::new(engine, guest);
    store.limiter(|guest| &mut guest.limiter);
    interruptible(&mut store);
    Ok(store)
}

/// At each tick of the epoch the guest gives way to its [`crate::quota::Metered`] future.
fn interruptible<T>(store: &mut Store<T>) {
    store.set_epoch_deadline(1);
    store.epoch_deadline_async_yield_and_update(1);
}

/// Arguments, environment, directories and outputs by the Workload.
fn context(sandbox: &Sandbox, workload: &Workload) -> Result<WasiCtxBuilder, BackendError> {
    let mut builder = WasiCtxBuilder::new();
    builder.args(&arguments(workload));
    builder.envs(&environment(sandbox, workload));
    if let Some(dir) = workload.working_dir.as_ref().or(workload.image.config.working_dir.as_ref()) {
        builder.initial_cwd(dir);
    }
    builder.max_random_size(RANDOM_BYTES_MAX);
    // Standard input is closed, which is the builder's default.
    builder.stdout(Output { sink: workload.log.clone(), stream: LogStream::Stdout });
    builder.stderr(Output { sink: workload.log.clone(), stream: LogStream::Stderr });
    if let Some(root) = root_dir(sandbox, workload) {
        let root = Mount { host_path: root, container_path: "/".into(), read_only: true };
        preopen(&mut builder, workload, &root)?;
    }
    for mount in &workload.mounts {
        preopen(&mut builder, workload, mount)?;
    }
    Ok(builder)
}

/// Where the container's `/` is: a read-only tree that holds nothing but the places of its
/// mounts, so that a program finds them by listing directories. Without mounts (or with one at
/// `/`) there is none. Libraries prefer the longest path that fits, so mounts hide it.
fn root_dir(sandbox: &Sandbox, workload: &Workload) -> Option<PathBuf> {
    let mounts = &workload.mounts;
    let wanted = !mounts.is_empty() && mounts.iter().all(|mount| mount.container_path != "/");
    wanted.then(|| sandbox.dir.join("wasm-root").join(&workload.name))
}

/// Makes the container's `/` before its first instance.
pub(crate) fn make_root(sandbox: &Sandbox, workload: &Workload) -> Result<(), BackendError> {
    let Some(root) = root_dir(sandbox, workload) else { return Ok(()) };
    for mount in &workload.mounts {
        let place = mount.container_path.trim_start_matches('/');
        let dir = confined(&root, Path::new(place)).map_err(|error| BackendError::Container {
            container: workload.name.clone(),
            reason: format!("mount {}: {error}", mount.container_path),
        })?;
        create_dir(&dir, 0o755)
            .map_err(|source| BackendError::Io { step: format!("make directory {}", dir.display()), source })?;
    }
    Ok(())
}

fn preopen(builder: &mut WasiCtxBuilder, workload: &Workload, mount: &Mount) -> Result<(), BackendError> {
    let perms = if mount.read_only { FsPerms::ReadOnly } else { FsPerms::ReadWrite };
    builder.preopened_dir(&mount.host_path, &mount.container_path, perms).map_err(|error| BackendError::Container {
        container: workload.name.clone(),
        reason: format!(
            "mount {}: cannot open directory {}: {error:#}",
            mount.container_path,
            mount.host_path.display()
        ),
    })?;
    Ok(())
}

/// The argument vector; without a program name in image or Workload, the image's own name.
fn arguments(workload: &Workload) -> Vec<String> {
    let mut argv = workload.argv();
    if workload.command.is_empty() && workload.image.config.entrypoint.is_empty() {
        argv.insert(0, program_name(&workload.image.reference));
    }
    argv
}

/// `app` of `registry:5000/team/app:v1@sha256:…` and of `file:///somewhere/app.wasm`.
fn program_name(reference: &str) -> String {
    let reference = reference.split_once('@').map_or(reference, |(name, _)| name);
    let last = reference.rsplit('/').next().unwrap_or(reference);
    let name = last.split_once(':').map_or(last, |(name, _)| name);
    name.strip_suffix(".wasm").unwrap_or(name).to_owned()
}

/// Each name once, the last value winning, and `HOSTNAME` as a container has it.
fn environment(sandbox: &Sandbox, workload: &Workload) -> Vec<(String, String)> {
    let mut seen = HashSet::new();
    let mut result: Vec<(String, String)> = Vec::with_capacity(workload.env.len() + 1);
    result.extend(workload.env.iter().rev().filter(|(name, _)| seen.insert(name.as_str())).cloned());
    if !seen.contains("HOSTNAME") {
        result.push(("HOSTNAME".into(), sandbox.hostname.clone()));
    }
    result.reverse();
    result
}

#[cfg(test)]
mod tests;
