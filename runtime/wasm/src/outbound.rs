//! How a guest's `wasi:http` requests leave: through the Pod's [`runtime_spec::HttpOutbound`].

use crate::limits::HTTP_OUTGOING_MAX;
use http_body_util::BodyExt;
use runtime_base::clock::within;
use runtime_spec::{HttpError, PodNetwork, Sandbox};
use std::sync::Arc;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

/// The hooks of one guest.
pub(crate) struct Outbound {
    sandbox: Arc<Sandbox>,
}

type BoxedFuture<T> = Box<dyn Future<Output = T> + Send>;

impl Outbound {
    pub(crate) fn new(sandbox: Arc<Sandbox>) -> Self {
        Outbound { sandbox }
    }

    pub(crate) fn network(&self) -> &Arc<dyn PodNetwork> {
        &self.sandbox.network
    }
}

impl WasiHttpHooks for Outbound {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _: BoxedFuture<Result<(), Error>>,
    ) -> BoxedFuture<Result<(http::Response<WasiBody>, BoxedFuture<Result<(), Error>>), Error>> {
        let sandbox = self.sandbox.clone();
        let options = options.unwrap_or_default();
        let limit = match (options.connect_timeout, options.first_byte_timeout) {
            (None, None) => HTTP_OUTGOING_MAX,
            (connect, first) => {
                (connect.unwrap_or_default() + first.unwrap_or(HTTP_OUTGOING_MAX)).min(HTTP_OUTGOING_MAX)
            }
        };
        let request = request.map(|body| body.map_err(|error| HttpError::Protocol(error.to_string())).boxed_unsync());
        Box::new(async move {
            let sent = within(limit, sandbox.outbound.send(&sandbox.network, request)).await;
            let response = sent.ok_or(Error::HttpResponseTimeout)?.map_err(to_wasi)?;
            let response = response.map(|body| body.map_err(to_wasi).boxed_unsync());
            let finished: BoxedFuture<Result<(), Error>> = Box::new(std::future::ready(Ok(())));
            Ok((response, finished))
        })
    }
}

/// The nearest `wasi:http` error code.
pub(crate) fn to_wasi(error: HttpError) -> Error {
    match error {
        HttpError::NameUnresolvable(name) => {
            Error::DnsError { rcode: Some(format!("no address for {name}")), info_code: None }
        }
        HttpError::ConnectionRefused(_) => Error::ConnectionRefused,
        HttpError::Timeout(_) => Error::ConnectionTimeout,
        HttpError::Denied(_) => Error::HttpRequestDenied,
        HttpError::Tls(_) => Error::TlsProtocolError,
        HttpError::Protocol(_) => Error::HttpProtocolError,
        HttpError::Overloaded(_) => Error::ConnectionLimitReached,
        HttpError::Program(_) => Error::ConnectionTerminated,
    }
}

#[cfg(test)]
mod tests;
