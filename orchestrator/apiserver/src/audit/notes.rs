//! What admission has to say of a request in the audit log.

use crate::limits::AUDIT_NOTES_MAX;
use std::future::Future;
use std::sync::{Mutex, PoisonError};

/// Annotations: keys and values.
type Notes = Vec<(String, String)>;

tokio::task_local! {
    static NOTES: Mutex<Notes>;
}

/// Runs what serves a request; its output, and the annotations that were made on the way.
pub(crate) async fn noting<F: Future>(serving: F) -> (F::Output, Notes) {
    NOTES
        .scope(Mutex::default(), async {
            let output = serving.await;
            let notes = NOTES.with(|notes| std::mem::take(&mut *notes.lock().unwrap_or_else(PoisonError::into_inner)));
            (output, notes)
        })
        .await
}

/// Annotates the event of the request that is being served; nothing where there is none.
pub(crate) fn note(key: String, value: String) {
    // The server's own writes have no event.
    let _ = NOTES.try_with(|notes| {
        let mut notes = notes.lock().unwrap_or_else(PoisonError::into_inner);
        if notes.len() < AUDIT_NOTES_MAX {
            notes.push((key, value));
        }
    });
}
