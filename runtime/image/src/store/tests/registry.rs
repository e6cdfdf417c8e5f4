//! Registries for tests: Debian's docker-registry, and a small one that misbehaves on demand.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// `user` with the password `secret`, as htpasswd -B writes it.
const HTPASSWD: &str = "user:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n";

/// A docker-registry process on a free port of 127.0.0.1.
pub struct Registry {
    child: Child,
    dir: tempfile::TempDir,
    /// `127.0.0.1:PORT`.
    pub address: String,
}

impl Registry {
    pub fn start() -> Self {
        Self::with("")
    }

    /// One that wants `user` and `secret`.
    pub fn with_password() -> Self {
        Self::with("auth: { htpasswd: { realm: test, path: HTPASSWD } }\n")
    }

    fn with(more: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let htpasswd = dir.path().join("htpasswd");
        std::fs::write(&htpasswd, HTPASSWD).unwrap();
        let config = format!(
            "version: 0.1\nlog: {{ level: info }}\nstorage: {{ filesystem: {{ rootdirectory: {} }} }}\nhttp: {{ addr: 127.0.0.1:0 }}\n{}",
            dir.path().join("data").display(),
            more.replace("HTPASSWD", htpasswd.to_str().unwrap()),
        );
        let path = dir.path().join("config.yml");
        std::fs::write(&path, config).unwrap();
        let mut child = Command::new("docker-registry")
            .arg("serve")
            .arg(&path)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("this test needs docker-registry (Debian and Ubuntu: apt-get install docker-registry)");
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let listening = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let at = line.find("listening on ")? + "listening on ".len();
            Some(line[at..].split('"').next()?.to_owned())
        });
        let address = listening.expect("docker-registry says where it listens");
        // Somebody has to read what it writes.
        std::thread::spawn(move || lines.for_each(drop));
        Registry { child, dir, address }
    }

    /// The file in which the registry keeps a blob.
    pub fn blob(&self, digest: &str) -> PathBuf {
        let hex = digest.strip_prefix("sha256:").unwrap();
        let blobs = Path::new("data/docker/registry/v2/blobs/sha256");
        self.dir.path().join(blobs).join(&hex[..2]).join(hex).join("data")
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Answers of a fake registry: path to (status, body) pairs, used up in turn, the last one stays.
pub type Answers = BTreeMap<String, Vec<(u16, Vec<u8>)>>;

/// A registry of canned answers, which notes what it was asked.
pub struct Fake {
    pub address: String,
    pub asked: Arc<Mutex<Vec<String>>>,
    tasks: runtime_base::Tasks,
}

impl Fake {
    /// One that lets everybody in.
    pub async fn start(answers: Answers) -> Self {
        Self::with(answers, false).await
    }

    /// One that wants a token, which its own token server gives to `user` with `secret`.
    pub async fn with_token(answers: Answers) -> Self {
        Self::with(answers, true).await
    }

    async fn with(answers: Answers, token: bool) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let tasks = runtime_base::Tasks::new();
        let (noted, answers) = (asked.clone(), Arc::new(Mutex::new(answers)));
        let here = address.clone();
        tasks.spawn("fake registry", async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    match stream.read_u8().await {
                        Ok(byte) => head.push(byte),
                        Err(_) => break,
                    }
                }
                let head = String::from_utf8_lossy(&head).into_owned();
                let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
                noted.lock().unwrap().push(path.clone());
                let head = head.to_lowercase();
                let stranger = token && !head.contains("authorization: bearer letmein");
                let (status, body) = match answers.lock().unwrap().get_mut(&path) {
                    // base64 of user:secret
                    _ if path.starts_with("/token") && head.contains("authorization: basic dxnlcjpzzwnyzxq=") => {
                        (200, br#"{"token":"letmein"}"#.to_vec())
                    }
                    _ if path.starts_with("/token") || stranger => (401, Vec::new()),
                    Some(list) if list.len() > 1 => list.remove(0),
                    Some(list) => list[0].clone(),
                    None if path == "/v2/" => (200, Vec::new()),
                    None => (404, br#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"unknown"}]}"#.to_vec()),
                };
                let challenge = format!("www-authenticate: Bearer realm=\"http://{here}/token\",service=\"test\"\r\n");
                let challenge = if stranger { challenge } else { String::new() };
                let length = format!("content-length: {}\r\n", body.len());
                let head = format!("HTTP/1.1 {status} X\r\nconnection: close\r\n{challenge}{length}\r\n");
                let _ = stream.write_all(head.as_bytes()).await;
                let _ = stream.write_all(&body).await;
            }
        });
        Fake { address, asked, tasks }
    }

    /// How many requests had `part` in their path.
    pub fn count(&self, part: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|path| path.contains(part)).count()
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.tasks.cancel();
    }
}
