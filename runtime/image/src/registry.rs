//! One registry at a time: sessions with a credential, and what its answers mean.

use crate::credential::Credential;
use crate::error::{Cause, StoreError};
use crate::limits;
use crate::reference::ImageReference;
use bytes::Bytes;
use futures::StreamExt;
use oci_distribution::client::{ClientConfig, ClientProtocol};
use oci_distribution::errors::{DigestError, OciDistributionError, OciErrorCode};
use oci_distribution::secrets::RegistryAuth;
use oci_distribution::{Client, Reference, RegistryOperation};
use runtime_base::clock;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

const USER_AGENT: &str = concat!("coracle/", env!("CARGO_PKG_VERSION"));

/// Chooses `ring` for this process' TLS; does nothing when a choice was made. Every client of a
/// registry needs it, and [`crate::ImageStore::open`] calls it.
pub fn install_tls() {
    // An error means that somebody chose before.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// What went wrong in one step with a registry.
#[derive(Clone, Debug)]
pub(crate) enum Failure {
    NotFound,
    Unauthorized,
    Unreachable(Cause),
    Digest { expected: String, actual: String },
    TooLarge { bytes: u64, limit: u64 },
    Registry { source: Cause, transient: bool },
    Store(StoreError),
}

impl Failure {
    fn timeout(what: &str, limit: Duration) -> Self {
        let text = format!("no complete answer within {} s ({what})", limit.as_secs());
        Failure::Registry { source: Cause::new(text), transient: false }
    }

    fn is_transient(&self) -> bool {
        matches!(self, Failure::Registry { transient: true, .. })
    }
}

impl From<OciDistributionError> for Failure {
    fn from(error: OciDistributionError) -> Self {
        use OciDistributionError as E;
        let transient = match &error {
            E::UnauthorizedError { .. } | E::AuthenticationFailure(_) => return Failure::Unauthorized,
            E::ServerError { code: 401 | 403, .. } => return Failure::Unauthorized,
            E::ServerError { code: 404, .. } | E::ImageManifestNotFoundError(_) => return Failure::NotFound,
            E::RegistryError { envelope, .. } => match envelope.errors.first().map(|first| &first.code) {
                Some(OciErrorCode::Unauthorized | OciErrorCode::Denied) => return Failure::Unauthorized,
                Some(
                    OciErrorCode::ManifestUnknown
                    | OciErrorCode::NameUnknown
                    | OciErrorCode::NotFound
                    | OciErrorCode::BlobUnknown,
                ) => return Failure::NotFound,
                code => code == Some(&OciErrorCode::Toomanyrequests),
            },
            E::ServerError { code, .. } => *code == 429 || *code >= 500,
            E::RequestError(request) if request.is_connect() => return Failure::Unreachable(Cause::new(error)),
            E::RequestError(request) => match request.status().map(|status| status.as_u16()) {
                Some(401 | 403) => return Failure::Unauthorized,
                Some(404) => return Failure::NotFound,
                Some(code) => code == 429 || code >= 500,
                None => true,
            },
            E::DigestError(DigestError::VerificationError { expected, actual }) => {
                return Failure::Digest { expected: expected.clone(), actual: actual.clone() };
            }
            _ => false,
        };
        Failure::Registry { source: Cause::new(error), transient }
    }
}

impl From<std::io::Error> for Failure {
    /// An error in the middle of a body.
    fn from(error: std::io::Error) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<DigestError>()) {
            Some(DigestError::VerificationError { expected, actual }) => {
                Failure::Digest { expected: expected.clone(), actual: actual.clone() }
            }
            _ => Failure::Registry { source: Cause::new(error), transient: true },
        }
    }
}

/// Counts the tries of one step.
#[derive(Default)]
pub(crate) struct Tries(u32);

impl Tries {
    /// Waits and says true when `failure` may be gone at another try.
    pub(crate) async fn again(&mut self, failure: &Failure) -> bool {
        if !failure.is_transient() || self.0 + 1 >= limits::TRIES_MAX {
            return false;
        }
        clock::sleep(limits::RETRY.delay(self.0)).await;
        self.0 += 1;
        true
    }
}

/// Clients, kept for their connections and tokens.
pub(crate) struct Registries {
    /// Registries beside those of this machine that speak plain HTTP.
    insecure: Vec<String>,
    clients: Mutex<HashMap<(String, Option<Credential>), Client>>,
}

impl Registries {
    pub(crate) fn new(insecure: Vec<String>) -> Self {
        Registries { insecure, clients: Mutex::default() }
    }

    /// A client of its own for each credential: one remembers the first password it saw.
    fn client(&self, registry: &str, credential: Option<&Credential>) -> Result<Client, Failure> {
        let key = (registry.to_owned(), credential.cloned());
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&key) {
            return Ok(client.clone());
        }
        let plain = ImageReference::is_loopback(registry) || self.insecure.iter().any(|one| one == registry);
        let config = ClientConfig {
            protocol: if plain { ClientProtocol::Http } else { ClientProtocol::Https },
            platform_resolver: None,
            connect_timeout: Some(limits::CONNECT_TIMEOUT),
            read_timeout: Some(limits::READ_TIMEOUT),
            user_agent: USER_AGENT,
            ..ClientConfig::default()
        };
        let client = Client::try_from(config)?;
        if clients.len() >= limits::CLIENTS_MAX {
            clients.clear();
        }
        clients.insert(key, client.clone());
        Ok(client)
    }

    /// Makes ready for requests about `reference`.
    pub(crate) async fn session(
        &self,
        reference: &Reference,
        credential: Option<&Credential>,
        operation: RegistryOperation,
    ) -> Result<Session, Failure> {
        let client = self.client(reference.registry(), credential)?;
        let auth = match credential {
            Some(one) => RegistryAuth::Basic(one.username.clone(), one.password.clone()),
            None => RegistryAuth::Anonymous,
        };
        let session = Session { client, reference: reference.clone(), auth };
        let mut tries = Tries::default();
        loop {
            let asked = session.client.auth(&session.reference, &session.auth, operation);
            match in_time("authentication", asked).await {
                Ok(_) => return Ok(session),
                Err(failure) if tries.again(&failure).await => {}
                Err(failure) => return Err(failure),
            }
        }
    }
}

async fn in_time<T>(what: &str, answer: impl Future<Output = Result<T, OciDistributionError>>) -> Result<T, Failure> {
    match clock::within(limits::ANSWER_TIMEOUT, answer).await {
        Some(answer) => Ok(answer?),
        None => Err(Failure::timeout(what, limits::ANSWER_TIMEOUT)),
    }
}

/// A registry, asked about one repository with one credential.
pub(crate) struct Session {
    client: Client,
    reference: Reference,
    auth: RegistryAuth,
}

impl Session {
    /// The manifest of the session's reference, or of `digest` in the same repository.
    pub(crate) async fn manifest(&self, digest: Option<&str>) -> Result<Bytes, Failure> {
        use crate::artifact::{DOCKER_INDEX, DOCKER_MANIFEST, INDEX, MANIFEST};
        let accepted = [MANIFEST, INDEX, DOCKER_MANIFEST, DOCKER_INDEX];
        let reference = match digest {
            Some(digest) => self.reference.clone_with_digest(digest.to_owned()),
            None => self.reference.clone(),
        };
        let mut tries = Tries::default();
        loop {
            let asked = self.client.pull_manifest_raw(&reference, &self.auth, &accepted);
            match in_time("manifest", asked).await {
                Ok((bytes, _)) if bytes.len() > limits::MANIFEST_BYTES_MAX => {
                    let (bytes, limit) = (bytes.len() as u64, limits::MANIFEST_BYTES_MAX as u64);
                    return Err(Failure::TooLarge { bytes, limit });
                }
                Ok((bytes, _)) => return Ok(bytes),
                Err(failure) if tries.again(&failure).await => {}
                Err(failure) => return Err(failure),
            }
        }
    }

    /// Hands the pieces of a blob to `take`, at most `size` bytes of them. One try; the caller
    /// begins anew.
    pub(crate) async fn blob(
        &self,
        digest: &str,
        size: u64,
        pieces: tokio::sync::mpsc::Sender<Bytes>,
    ) -> Result<(), Failure> {
        let read = async {
            // Only the digest is passed on: a manifest's `urls` could send us anywhere.
            let mut stream = self.client.pull_blob_stream(&self.reference, digest).await?;
            let mut bytes = 0u64;
            while let Some(piece) = stream.next().await {
                let piece = piece?;
                bytes += piece.len() as u64;
                if bytes > size {
                    return Err(Failure::TooLarge { bytes, limit: size });
                }
                // The receiver's own result says why it stopped.
                if pieces.send(piece).await.is_err() {
                    break;
                }
            }
            Ok(())
        };
        clock::within(limits::BLOB_TIMEOUT, read)
            .await
            .unwrap_or_else(|| Err(Failure::timeout("blob", limits::BLOB_TIMEOUT)))
    }

    /// Sends a blob unless the registry has it.
    pub(crate) async fn push_blob(&self, digest: &str, bytes: Bytes) -> Result<(), Failure> {
        let mut tries = Tries::default();
        loop {
            match self.push_blob_once(digest, bytes.clone()).await {
                Err(failure) if tries.again(&failure).await => {}
                done => return done,
            }
        }
    }

    async fn push_blob_once(&self, digest: &str, bytes: Bytes) -> Result<(), Failure> {
        if in_time("blob", self.client.blob_exists(&self.reference, digest)).await? {
            return Ok(());
        }
        let pushed = clock::within(limits::BLOB_TIMEOUT, self.client.push_blob(&self.reference, bytes, digest)).await;
        pushed.ok_or_else(|| Failure::timeout("blob", limits::BLOB_TIMEOUT))??;
        Ok(())
    }

    /// Sends the manifest and so gives the tag its meaning.
    pub(crate) async fn push_manifest(&self, bytes: Bytes) -> Result<(), Failure> {
        let mut tries = Tries::default();
        loop {
            let kind = http::HeaderValue::from_static(crate::artifact::MANIFEST);
            match in_time("manifest", self.client.push_manifest_raw(&self.reference, bytes.clone(), kind)).await {
                Ok(_) => return Ok(()),
                Err(failure) if tries.again(&failure).await => {}
                Err(failure) => return Err(failure),
            }
        }
    }
}
