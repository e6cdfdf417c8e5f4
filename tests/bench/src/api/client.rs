//! A lean HTTP/1.1 client: one TLS connection that is kept open, requests that are ready as bytes.

use crate::cluster::Cluster;
use anyhow::{Context, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// The way to one server, as its administrator.
#[derive(Clone)]
pub struct Server {
    address: String,
    connector: TlsConnector,
}

impl Server {
    /// Reads the server's kubeconfig.
    pub fn of(cluster: &Cluster) -> anyhow::Result<Server> {
        let text = std::fs::read_to_string(cluster.kubeconfig()).context("no kubeconfig")?;
        let field = |name: &str| {
            let line = text.lines().find_map(|line| line.trim().trim_start_matches("- ").strip_prefix(name));
            line.map(|value| value.trim().trim_matches('"').to_owned())
                .with_context(|| format!("no {name} in kubeconfig"))
        };
        let pem = |name: &str| STANDARD.decode(field(name)?).context("base64");
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(&pem("certificate-authority-data:")?)?)?;
        let certificates: Result<Vec<_>, _> =
            CertificateDer::pem_slice_iter(&pem("client-certificate-data:")?).collect();
        let key = PrivateKeyDer::from_pem_slice(&pem("client-key-data:")?)?;
        let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_client_auth_cert(certificates?, key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let address = field("server:")?.trim_start_matches("https://").to_owned();
        Ok(Server { address, connector: TlsConnector::from(Arc::new(config)) })
    }

    /// Opens a connection.
    pub async fn connect(&self) -> anyhow::Result<Connection> {
        let stream = TcpStream::connect(&self.address).await?;
        stream.set_nodelay(true)?;
        let name = ServerName::try_from("127.0.0.1").context("name")?;
        let stream = self.connector.connect(name, stream).await?;
        Ok(Connection { stream, bytes: Vec::with_capacity(64 * 1024) })
    }

    /// The bytes of a request.
    pub fn request(&self, method: &str, path: &str, body: &str) -> Vec<u8> {
        let (address, length) = (&self.address, body.len());
        let mut text = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nAccept: application/json\r\n");
        if !body.is_empty() {
            text.push_str(&format!("Content-Type: application/json\r\nContent-Length: {length}\r\n"));
        }
        (text + "\r\n" + body).into_bytes()
    }
}

/// One connection.
pub struct Connection {
    stream: TlsStream<TcpStream>,
    /// Read, and not used yet.
    bytes: Vec<u8>,
}

struct Head {
    status: u16,
    /// `None`: chunked.
    length: Option<usize>,
}

fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|window| window == part)
}

impl Connection {
    async fn more(&mut self) -> anyhow::Result<()> {
        if self.stream.read_buf(&mut self.bytes).await? == 0 {
            bail!("the server closed the connection");
        }
        Ok(())
    }

    /// Sends a request and reads its answer's head.
    async fn begin(&mut self, request: &[u8]) -> anyhow::Result<Head> {
        self.stream.write_all(request).await?;
        self.stream.flush().await?;
        let end = loop {
            match find(&self.bytes, b"\r\n\r\n") {
                Some(end) => break end + 4,
                None => self.more().await?,
            }
        };
        let head = String::from_utf8_lossy(&self.bytes[..end]).to_ascii_lowercase();
        let status = head.get(9..12).and_then(|code| code.parse().ok()).context("no status")?;
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
        let length = length.map(|text| text.trim().parse()).transpose()?;
        self.bytes.drain(..end);
        Ok(Head { status, length })
    }

    /// The status and the size of the body of the answer to `request`.
    pub async fn ask(&mut self, request: &[u8]) -> anyhow::Result<(u16, usize)> {
        let head = self.begin(request).await?;
        let Some(length) = head.length else {
            let mut size = 0;
            loop {
                let chunk = self.chunk().await?;
                if chunk == 0 {
                    return Ok((head.status, size));
                }
                size += chunk;
            }
        };
        while self.bytes.len() < length {
            self.more().await?;
        }
        self.bytes.drain(..length);
        Ok((head.status, length))
    }

    /// The same, and an error when the status is not `expected`.
    pub async fn expect(&mut self, request: &[u8], expected: u16) -> anyhow::Result<usize> {
        let (status, size) = self.ask(request).await?;
        if status != expected {
            bail!("status {status} instead of {expected}");
        }
        Ok(size)
    }

    /// Skips one chunk and says how large it was.
    async fn chunk(&mut self) -> anyhow::Result<usize> {
        let line = loop {
            match find(&self.bytes, b"\r\n") {
                Some(line) => break line,
                None => self.more().await?,
            }
        };
        let size = usize::from_str_radix(std::str::from_utf8(&self.bytes[..line])?.trim(), 16)?;
        while self.bytes.len() < line + 2 + size + 2 {
            self.more().await?;
        }
        self.bytes.drain(..line + 2 + size + 2);
        Ok(size)
    }

    /// Starts a watch; its events are read with [`Connection::until`].
    pub async fn watch(&mut self, request: &[u8]) -> anyhow::Result<()> {
        let head = self.begin(request).await?;
        if head.status != 200 { bail!("status {} of a watch", head.status) } else { Ok(()) }
    }

    /// Reads until `part` has come; forgets what was read.
    pub async fn until(&mut self, part: &[u8]) -> anyhow::Result<()> {
        loop {
            if let Some(place) = find(&self.bytes, part) {
                self.bytes.drain(..place + part.len());
                return Ok(());
            }
            let keep = self.bytes.len().saturating_sub(part.len());
            self.bytes.drain(..keep);
            self.more().await?;
        }
    }
}
