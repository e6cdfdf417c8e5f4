//! A `wasi:http` component as an endpoint.
//!
//! No instance lives while nobody calls. A request takes an idle instance or makes one, and has
//! it for itself: WASI 0.2 handlers answer one request at a time. An instance that answered in
//! order is kept for a while and used again; one that trapped, or whose caller left it running,
//! is thrown away. So the CPU time of each request is charged, a trap is that request's alone,
//! and reuse saves the start of the guest's runtime (measured: 15,000 requests/s with a new
//! instance each, 31,000 with reuse).

use crate::container::Run;
use crate::exit::End;
use crate::guest::{Guest, component_store};
use crate::limits::{HTTP_AFTER_RESPONSE_MAX, HTTP_IDLE_MAX, HTTP_REUSE_MAX, HTTP_RUNNING_MAX, HTTP_WAITING_MAX};
use crate::outbound::to_wasi;
use async_trait::async_trait;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use runtime_base::Tasks;
use runtime_base::clock::{sleep, within};
use runtime_spec::{HttpBody, HttpEndpoint, HttpError, HttpRequest, HttpResponse, LogStream};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::Instant;
use wasmtime::Store;
use wasmtime_wasi_http::WasiHttpView;
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, Scheme};
use wasmtime_wasi_http::p2::bindings::{Proxy, ProxyPre};
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;

type Answer = Result<HttpResponse, HttpError>;
/// Whoever answers first takes it.
type AnswerSlot = Arc<Mutex<Option<oneshot::Sender<Answer>>>>;

/// The endpoint of one container.
pub(crate) struct HttpProgram {
    run: Arc<Run>,
    pre: ProxyPre<Guest>,
    running: Arc<Semaphore>,
    waiting: AtomicUsize,
    closing: AtomicBool,
    idle: Mutex<Vec<Instance>>,
    reaping: AtomicBool,
    tasks: Tasks,
}

/// An instance between requests; the oldest is first in the list, the warmest last.
struct Instance {
    store: Store<Guest>,
    proxy: Proxy,
    served: u32,
    since: Instant,
}

impl HttpProgram {
    pub(crate) fn new(run: Arc<Run>, pre: ProxyPre<Guest>) -> Arc<Self> {
        Arc::new(HttpProgram {
            run,
            pre,
            running: Arc::new(Semaphore::new(HTTP_RUNNING_MAX)),
            waiting: AtomicUsize::new(0),
            closing: AtomicBool::new(false),
            idle: Mutex::new(Vec::new()),
            reaping: AtomicBool::new(false),
            tasks: Tasks::new(),
        })
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Instance>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_open(&self) -> bool {
        !self.closing.load(Ordering::SeqCst) && self.run.is_running()
    }

    /// Takes no new requests and waits up to `grace` for those under way.
    pub(crate) async fn drain(&self, grace: Duration) {
        self.closing.store(true, Ordering::SeqCst);
        let all = u32::try_from(HTTP_RUNNING_MAX).expect("a small constant");
        let _ = within(grace, self.running.acquire_many(all)).await;
    }

    /// Ends every request and every instance.
    pub(crate) async fn close(&self) {
        self.closing.store(true, Ordering::SeqCst);
        // Each gives way within one tick of the epoch; the bound is for a host call gone astray.
        self.tasks.stop(Duration::from_secs(5)).await;
        self.idle().clear();
    }

    async fn permit(&self) -> Result<OwnedSemaphorePermit, HttpError> {
        if let Ok(permit) = self.running.clone().try_acquire_owned() {
            return Ok(permit);
        }
        let _waiting = Waiting::enter(&self.waiting)
            .ok_or_else(|| HttpError::Overloaded(format!("{HTTP_WAITING_MAX} requests wait already")))?;
        self.running.clone().acquire_owned().await.map_err(|_| stopped())
    }

    /// Answers one request on the guests' threads, then keeps or ends the instance.
    async fn serve(self: Arc<Self>, request: HttpRequest, slot: AnswerSlot, left: oneshot::Receiver<()>) {
        let deadline = async {
            let _ = left.await;
            sleep(HTTP_AFTER_RESPONSE_MAX).await;
        };
        let instance = tokio::select! {
            instance = self.run.metered(self.call(request, &slot)) => instance,
            () = deadline => Err(HttpError::Timeout("the program went on without a caller".into())),
        };
        match instance {
            Ok(instance) if slot_taken(&slot) => self.keep(instance),
            Ok(_) => answer(&slot, Err(HttpError::Program("it returned without an answer".into()))),
            Err(error) => {
                self.run.workload.log.write(LogStream::Stderr, format!("request failed: {error}\n").as_bytes());
                answer(&slot, Err(error));
            }
        }
    }

    /// Runs the handler; the answer goes to `slot` as soon as the guest gives it.
    async fn call(&self, request: HttpRequest, slot: &AnswerSlot) -> Result<Instance, HttpError> {
        let idle = self.idle().pop();
        let mut instance = match idle {
            Some(instance) => instance,
            None => self.instantiate().await?,
        };
        let store = &mut instance.store;
        // The epoch went on while the instance was idle.
        store.set_epoch_deadline(1);
        let scheme = match request.uri().scheme_str() {
            Some("https") => Scheme::Https,
            _ => Scheme::Http,
        };
        let request = request.map(|body| body.map_err(to_wasi).boxed_unsync());
        let bad = |error: wasmtime::Error| HttpError::Protocol(error.to_string());
        let request = store.data_mut().http().new_incoming_request(scheme, request).map_err(bad)?;
        let to = slot.clone();
        let respond = move |response: Result<_, ErrorCode>| answer(&to, response.map(to_response).map_err(to_http));
        let respond = store.data_mut().http().new_response_outparam_from_callback(respond).map_err(bad)?;
        let handler = instance.proxy.wasi_http_incoming_handler();
        match handler.call_handle(&mut *store, request, respond).await {
            Ok(()) => {
                instance.served += 1;
                Ok(instance)
            }
            Err(error) => Err(HttpError::Program(describe(&error))),
        }
    }

    async fn instantiate(&self) -> Result<Instance, HttpError> {
        let run = &self.run;
        let mut store = component_store(&run.shared.engine, &run.sandbox, &run.workload, &run.memory)
            .map_err(|error| HttpError::Program(runtime_base::error::chain(&error)))?;
        let proxy =
            self.pre.instantiate_async(&mut store).await.map_err(|error| HttpError::Program(describe(&error)))?;
        Ok(Instance { store, proxy, served: 0, since: run.shared.clock.monotonic() })
    }

    fn keep(self: &Arc<Self>, mut instance: Instance) {
        if instance.served >= HTTP_REUSE_MAX || !self.is_open() {
            return;
        }
        instance.since = self.run.shared.clock.monotonic();
        self.idle().push(instance);
        if !self.reaping.swap(true, Ordering::SeqCst) {
            self.tasks.spawn("wasm-http-idle", self.clone().reap());
        }
    }

    /// Ends idle instances when their time has come; runs only while there are some.
    async fn reap(self: Arc<Self>) {
        loop {
            sleep(HTTP_IDLE_MAX).await;
            let now = self.run.shared.clock.monotonic();
            let (expired, done) = {
                let mut idle = self.idle();
                let count = idle.partition_point(|instance| now.duration_since(instance.since) >= HTTP_IDLE_MAX);
                let expired: Vec<Instance> = idle.drain(..count).collect();
                let done = idle.is_empty();
                if done {
                    self.reaping.store(false, Ordering::SeqCst);
                }
                (expired, done)
            };
            drop(expired);
            if done {
                return;
            }
        }
    }
}

/// What others call.
pub(crate) struct Endpoint(pub(crate) Arc<HttpProgram>);

#[async_trait]
impl HttpEndpoint for Endpoint {
    async fn handle(&self, request: HttpRequest) -> Answer {
        let this = self.0.clone();
        if !this.is_open() {
            return Err(stopped());
        }
        let permit = this.permit().await?;
        if !this.is_open() {
            return Err(stopped());
        }
        let (send, receive) = oneshot::channel();
        let (caller, left) = oneshot::channel();
        let slot: AnswerSlot = Arc::new(Mutex::new(Some(send)));
        let tasks = this.tasks.clone();
        let shared = this.run.shared.clone();
        shared.spawn_in(&tasks, "wasm-http", async move {
            this.serve(request, slot, left).await;
            drop(permit);
        });
        let response = receive.await.map_err(|_| stopped())??;
        Ok(response.map(|body| Watched { body, _caller: caller }.boxed_unsync()))
    }
}

fn stopped() -> HttpError {
    HttpError::Program("it is not running".into())
}

fn describe(error: &wasmtime::Error) -> String {
    End::of_error(error).message
}

fn answer(slot: &AnswerSlot, answer: Answer) {
    let sender = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(sender) = sender {
        // The caller may have gone.
        let _ = sender.send(answer);
    }
}

fn slot_taken(slot: &AnswerSlot) -> bool {
    slot.lock().unwrap_or_else(PoisonError::into_inner).is_none()
}

fn to_response(response: hyper::Response<HyperOutgoingBody>) -> HttpResponse {
    response.map(|body| body.map_err(|error| HttpError::Program(error.to_string())).boxed_unsync())
}

fn to_http(code: ErrorCode) -> HttpError {
    HttpError::Program(format!("it answered with the error {code:?}"))
}

/// A response's body; when it ends or is dropped, the guest's remaining time begins.
struct Watched {
    body: HttpBody,
    _caller: oneshot::Sender<()>,
}

impl Body for Watched {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// One of the requests that wait.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn enter(count: &'a AtomicUsize) -> Option<Self> {
        let waiting = Waiting(count);
        (count.fetch_add(1, Ordering::SeqCst) < HTTP_WAITING_MAX).then_some(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests;
