use super::{Outbound, to_wasi};
use crate::tests::net::FakeNet;
use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use runtime_spec::{HttpError, HttpOutbound, HttpRequest, HttpResponse, PodNetwork, PodRef, Sandbox};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

/// Answers `/echo` with the body, never answers `/slow`, refuses everything else.
struct Fake;

#[async_trait]
impl HttpOutbound for Fake {
    async fn send(&self, network: &Arc<dyn PodNetwork>, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        assert_eq!(network.addresses()[0].to_string(), "10.0.0.5");
        match request.uri().path() {
            "/echo" => Ok(http::Response::new(request.into_body())),
            "/slow" => std::future::pending().await,
            _ => Err(HttpError::ConnectionRefused(request.uri().to_string())),
        }
    }
}

async fn send(path: &str, options: Option<RequestOptions>) -> Result<Bytes, Error> {
    let mut outbound = Outbound::new(Arc::new(Sandbox {
        pod: PodRef { namespace: "default".into(), name: "pod".into(), uid: "1".into() },
        hostname: "pod".into(),
        network: FakeNet::default().pod(5),
        outbound: Arc::new(Fake),
        dir: "/".into(),
    }));
    let body: WasiBody = Full::new(Bytes::from("ping")).map_err(|never| match never {}).boxed_unsync();
    let request = http::Request::get(format!("http://other.test{path}")).body(body).unwrap();
    let sent = outbound.send_request(request, options, Box::new(std::future::ready(Ok(()))));
    let (response, _) = Pin::from(sent).await?;
    Ok(response.into_body().collect().await?.to_bytes())
}

#[tokio::test]
async fn requests_leave_through_the_pod() {
    assert_eq!(send("/echo", None).await.unwrap(), "ping");
    assert!(matches!(send("/other", None).await, Err(Error::ConnectionRefused)));
}

#[tokio::test(start_paused = true)]
async fn a_response_that_does_not_come_is_a_timeout() {
    let options = RequestOptions { first_byte_timeout: Some(Duration::from_secs(1)), ..RequestOptions::default() };
    assert!(matches!(send("/slow", Some(options)).await, Err(Error::HttpResponseTimeout)));
    assert!(matches!(send("/slow", None).await, Err(Error::HttpResponseTimeout)));
}

#[test]
fn errors_keep_their_meaning() {
    let name = || "name".to_owned();
    assert!(matches!(to_wasi(HttpError::NameUnresolvable(name())), Error::DnsError { .. }));
    assert!(matches!(to_wasi(HttpError::Denied(name())), Error::HttpRequestDenied));
    assert!(matches!(to_wasi(HttpError::Overloaded(name())), Error::ConnectionLimitReached));
    assert!(matches!(to_wasi(HttpError::Program(name())), Error::ConnectionTerminated));
}
