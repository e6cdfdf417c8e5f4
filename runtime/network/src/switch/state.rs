//! Keeps the address file up to date, behind the Pods' back: after a crash it may lack the last
//! moments, which costs a Pod its old address and nothing else.

use super::{NetworkError, Switch};
use crate::ipam::State;
use crate::limits::STATE_WRITE_REST;
use runtime_base::path::write_atomic;
use runtime_base::{Tasks, clock, error::chain};
use std::io;
use std::path::Path;
use std::sync::Weak;
use tracing::error;

pub(super) fn write(path: &Path, state: &State) -> Result<(), NetworkError> {
    let written = serde_json::to_vec(state).map_err(io::Error::other);
    let written = written.and_then(|bytes| write_atomic(path, &bytes, 0o600));
    written.map_err(|source| NetworkError::StateWrite { path: path.to_owned(), source })
}

/// Writes after each change, and a last time at the end.
pub(super) async fn keep(switch: Weak<Switch>, tasks: Tasks) {
    while !tasks.is_stopping() {
        {
            let Some(switch) = switch.upgrade() else { return };
            tokio::select! {
                () = switch.changed.notified() => {}
                () = tasks.stopping() => {}
            }
        }
        save(&switch).await;
        tokio::select! {
            () = clock::sleep(STATE_WRITE_REST) => {}
            () = tasks.stopping() => {}
        }
    }
    save(&switch).await;
}

async fn save(switch: &Weak<Switch>) {
    let Some(switch) = switch.upgrade() else { return };
    let (state, generation) = {
        let ipam = switch.ipam();
        (ipam.state().clone(), ipam.generation)
    };
    if generation == *switch.saved.borrow() {
        return;
    }
    let path = switch.config.state_file.clone();
    // Writing waits for the disk; a failure is tried again with the next change.
    match tokio::task::spawn_blocking(move || write(&path, &state)).await {
        Ok(Ok(())) => {
            switch.saved.send_replace(generation);
        }
        Ok(Err(failure)) => error!(error = chain(&failure), "cannot keep the Pods' addresses"),
        Err(failure) => error!(error = chain(&failure), "cannot keep the Pods' addresses"),
    }
}
