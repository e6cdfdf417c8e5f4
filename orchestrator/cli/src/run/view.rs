//! What `coracle run` shows: a live table of Pods on a terminal, plain lines elsewhere.

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::{Api, Client, ResourceExt};
use orchestrator_apimachinery::Catalog;
use orchestrator_client::Informer;
use orchestrator_client::informer::Filter;
use runtime_base::{Clock, Tasks};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::sync::{Arc, Mutex, PoisonError};

/// Where output goes; shared by all that print.
pub struct View {
    live: Option<MultiProgress>,
    rows: Mutex<BTreeMap<String, Row>>,
}

struct Row {
    text: String,
    bar: Option<ProgressBar>,
}

impl View {
    /// Live when standard output is a terminal.
    pub fn new() -> Self {
        let live = std::io::stdout().is_terminal().then(MultiProgress::new);
        View { live, rows: Mutex::default() }
    }

    /// Prints a line above the table.
    #[expect(clippy::print_stdout, reason = "the command's output")]
    pub fn line(&self, text: &str) {
        match &self.live {
            Some(live) => {
                let _ = live.println(text);
            }
            None => println!("{text}"),
        }
    }

    /// Shows a Pod's row; a plain line only when it says something new.
    fn row(&self, name: &str, text: String) {
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        match rows.get_mut(name) {
            Some(row) if row.text == text => return,
            Some(row) => {
                if let Some(bar) = &row.bar {
                    bar.set_message(text.clone());
                }
                row.text = text.clone();
            }
            None => {
                let bar = self.live.as_ref().map(|live| {
                    let style =
                        ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_spinner());
                    let bar = live.add(ProgressBar::new_spinner().with_style(style));
                    bar.set_message(text.clone());
                    bar.tick();
                    bar
                });
                rows.insert(name.to_owned(), Row { text: text.clone(), bar });
            }
        }
        drop(rows);
        if self.live.is_none() {
            self.line(&text);
        }
    }

    fn remove(&self, name: &str) {
        let row = self.rows.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
        if let Some(bar) = row.and_then(|row| row.bar) {
            bar.finish_and_clear();
        }
    }

    /// Leaves the last state of the table on the screen.
    pub fn finish(&self) {
        for row in self.rows.lock().unwrap_or_else(PoisonError::into_inner).values() {
            if let Some(bar) = &row.bar {
                bar.abandon();
            }
        }
    }
}

/// Keeps the table of Pods, until `tasks` stops.
pub fn follow_pods(client: &Client, view: Arc<View>, tasks: &Tasks) {
    let pods: Informer<Pod> = Informer::start(Api::all(client.clone()), Filter::default(), tasks);
    let catalog = Catalog::builtin();
    let clock = Clock::system();
    pods.on_change(move |old, new| {
        let Some(pod) = new.or(old) else { return };
        let name = format!("{}/{}", pod.namespace().unwrap_or_default(), pod.name_any());
        if new.is_none() {
            return view.remove(&name);
        }
        let Some(kind) = catalog.resource("", "v1", "pods") else { return };
        let now = clock.now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_secs();
        let cells = (kind.strategy.cells)(&json!(&**pod), i64::try_from(now).unwrap_or(i64::MAX));
        view.row(&name, row_text(&name, &cells));
    });
}

/// `NAME  READY  STATUS  RESTARTS` from the cells of `kubectl get pods`.
fn row_text(name: &str, cells: &[Value]) -> String {
    let cell = |index: usize| match cells.get(index) {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    };
    let restarts = match cell(3).split_whitespace().next() {
        Some("0") | None => String::new(),
        Some("1") => "  1 restart".to_owned(),
        Some(more) => format!("  {more} restarts"),
    };
    format!("pod {name}  {} ready  {}{restarts}", cell(1), cell(2))
}

/// Prints where Services with a node port can be reached, once for each.
pub fn follow_services(client: &Client, view: Arc<View>, node_ip: &str, tasks: &Tasks) {
    let services: Informer<Service> = Informer::start(Api::all(client.clone()), Filter::default(), tasks);
    let node_ip = node_ip.to_owned();
    let said = Mutex::new(BTreeMap::<String, Vec<i32>>::new());
    services.on_change(move |_, new| {
        let Some(service) = new else { return };
        let ports = service.spec.as_ref().and_then(|spec| spec.ports.clone()).unwrap_or_default();
        let ports: Vec<i32> = ports.iter().filter_map(|port| port.node_port).collect();
        let name = format!("{}/{}", service.namespace().unwrap_or_default(), service.name_any());
        let before = said.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone(), ports.clone());
        if before.as_ref() != Some(&ports) {
            for port in ports {
                view.line(&format!("service {name}  http://{node_ip}:{port}"));
            }
        }
    });
}
