//! Rules of probes and lifecycle handlers.

use crate::field::{Errors, Path};
use crate::kinds::checks::not_negative;
use crate::kinds::fields::{int, list, text};
use crate::kinds::names;
use serde_json::Value;

/// Checks the probes and the lifecycle of a container of this PodSpec; `grace` is the Pod's grace period.
pub fn validate(spec: &Value, container: &Value, grace: i64, path: &Path, errors: &mut Errors) {
    if let Some(lifecycle) = container.get("lifecycle") {
        if let Some(signal) = lifecycle["stopSignal"].as_str() {
            let system = text(&spec["os"], "name");
            validate_signal(signal, system, &path.child("lifecycle").child("stopSignal"), errors);
        }
        for hook in ["postStart", "preStop"] {
            if let Some(handler) = lifecycle.get(hook) {
                let path = path.child("lifecycle").child(hook);
                validate_handler(handler, &["exec", "httpGet", "tcpSocket", "sleep"], grace, &path, errors);
            }
        }
    }
    for name in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(probe) = container.get(name) {
            validate_probe(probe, name == "readinessProbe", grace, &path.child(name), errors);
        }
    }
}

/// Signals that a Linux container may be stopped with, beside SIGRTMIN+1 to 15 and SIGRTMAX-14 to 1.
const SIGNALS: &str = "SIGABRT SIGALRM SIGBUS SIGCHLD SIGCLD SIGCONT SIGFPE SIGHUP SIGILL SIGINT SIGIO SIGIOT SIGKILL \
    SIGPIPE SIGPOLL SIGPROF SIGPWR SIGQUIT SIGSEGV SIGSTKFLT SIGSTOP SIGSYS SIGTERM SIGTRAP SIGTSTP SIGTTIN SIGTTOU \
    SIGURG SIGUSR1 SIGUSR2 SIGVTALRM SIGWINCH SIGXCPU SIGXFSZ SIGRTMIN SIGRTMAX";

fn validate_signal(signal: &str, system: &str, path: &Path, errors: &mut Errors) {
    let mut known: Vec<String> = match system {
        "" => return errors.forbidden(path, "may not be set for containers with empty `spec.os.name`"),
        "windows" => vec!["SIGKILL".to_owned(), "SIGTERM".to_owned()],
        _ => SIGNALS.split_whitespace().map(str::to_owned).collect(),
    };
    if system == "linux" {
        known.extend((1..=15).map(|n| format!("SIGRTMIN+{n}")));
        known.extend((1..=14).map(|n| format!("SIGRTMAX-{n}")));
    }
    if !known.iter().any(|name| name == signal) {
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        errors.not_supported(path, signal, &known);
    }
}

fn validate_probe(probe: &Value, is_readiness: bool, grace: i64, path: &Path, errors: &mut Errors) {
    validate_handler(probe, &["exec", "httpGet", "tcpSocket", "grpc"], grace, path, errors);
    let counts = ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"];
    not_negative(probe, &counts, path, errors);
    match int(probe, "terminationGracePeriodSeconds") {
        Some(seconds) if is_readiness => {
            errors.invalid(
                &path.child("terminationGracePeriodSeconds"),
                seconds,
                "must not be set for readinessProbes",
            );
        }
        Some(seconds) if seconds <= 0 => {
            errors.invalid(&path.child("terminationGracePeriodSeconds"), seconds, "must be greater than 0");
        }
        _ => {}
    }
    if let Some(number) = int(probe, "successThreshold").filter(|number| !is_readiness && *number > 1) {
        errors.invalid(&path.child("successThreshold"), number, "must be 1");
    }
}

fn validate_handler(handler: &Value, supported: &[&str], grace: i64, path: &Path, errors: &mut Errors) {
    let mut handlers = 0;
    for name in supported {
        let Some(action) = handler.get(*name) else { continue };
        let path = path.child(name);
        handlers += 1;
        if handlers > 1 {
            errors.forbidden(&path, "may not specify more than 1 handler type");
            continue;
        }
        match *name {
            "exec" if list(action, "command").is_empty() => errors.required(&path.child("command"), ""),
            "exec" => {}
            "httpGet" => validate_http_get(action, &path, errors),
            "sleep" => validate_sleep(action, grace, &path, errors),
            _ => validate_port(&action["port"], &path.child("port"), errors),
        }
    }
    if handlers == 0 {
        errors.required(path, "must specify a handler type");
    }
}

fn validate_sleep(action: &Value, grace: i64, path: &Path, errors: &mut Errors) {
    let seconds = int(action, "seconds").unwrap_or(0);
    if seconds < 0 || seconds > grace {
        let wrong = format!("must be non-negative and less than terminationGracePeriodSeconds ({grace})");
        errors.invalid(path, seconds, &wrong);
    }
}

fn validate_http_get(action: &Value, path: &Path, errors: &mut Errors) {
    if text(action, "path").is_empty() {
        errors.required(&path.child("path"), "");
    }
    validate_port(&action["port"], &path.child("port"), errors);
    let scheme = text(action, "scheme");
    if !["HTTP", "HTTPS"].contains(&scheme) {
        errors.not_supported(&path.child("scheme"), scheme, &["HTTP", "HTTPS"]);
    }
    for header in list(action, "httpHeaders") {
        for wrong in names::http_header(text(header, "name")) {
            errors.invalid(&path.child("httpHeaders"), text(header, "name"), &wrong);
        }
    }
}

/// Checks a port's number or name.
pub fn validate_port(port: &Value, path: &Path, errors: &mut Errors) {
    let wrong = match port {
        Value::String(name) => names::port_name(name),
        other => names::port_number(other.as_i64().unwrap_or(0)),
    };
    for wrong in wrong {
        errors.invalid(path, port, &wrong);
    }
}
