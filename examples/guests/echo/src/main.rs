//! A TCP server that sends back what it gets, and its client.
//!
//!     echo serve PORT
//!     echo client HOST PORT TEXT [--times N] [--pause-ms MS] [--wait SECONDS]
//!
//! The client sends TEXT as a line N times (1; 0 is for ever) over one connection, checks each
//! answer, and tries for `--wait` seconds (30) to reach a server that is still starting.

use std::env;
use std::io::{BufRead, BufReader, Error, Result, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::process::ExitCode;
use std::time::{Duration, Instant};

const USAGE: &str = "usage: echo serve PORT
       echo client HOST PORT TEXT [--times N] [--pause-ms MS] [--wait SECONDS]";

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words[..] {
        ["serve", port] => serve(port),
        ["client", host, port, text, ref options @ ..] => match Client::parse(host, port, text, options) {
            Some(client) => client.run(),
            None => return usage(),
        },
        _ => return usage(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("echo: {error}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    eprintln!("{USAGE}");
    ExitCode::from(2)
}

/// Serves any number of connections at once on `port`.
fn serve(port: &str) -> Result<()> {
    use wstd::iter::AsyncIterator;
    wstd::runtime::block_on(async {
        let listener = wstd::net::TcpListener::bind(&format!("0.0.0.0:{port}")).await?;
        println!("listening on {}", listener.local_addr()?);
        let mut incoming = listener.incoming();
        while let Some(stream) = incoming.next().await {
            // A caller that is gone already is not the server's end.
            let Ok(stream) = stream else { continue };
            println!("connection from {}", stream.peer_addr().unwrap_or_else(|error| error.to_string()));
            wstd::runtime::spawn(async move {
                let (from, to) = stream.split();
                if let Err(error) = wstd::io::copy(from, to).await {
                    println!("connection lost: {error}");
                }
            })
            .detach();
        }
        Ok(())
    })
}

struct Client<'a> {
    host: &'a str,
    port: u16,
    text: &'a str,
    times: u64,
    pause: Duration,
    wait: Duration,
}

impl<'a> Client<'a> {
    fn parse(host: &'a str, port: &str, text: &'a str, options: &[&str]) -> Option<Self> {
        let port = port.parse().ok()?;
        let mut client = Client { host, port, text, times: 1, pause: Duration::ZERO, wait: Duration::from_secs(30) };
        for option in options.chunks(2) {
            let [name, value] = option else { return None };
            let value: u64 = value.parse().ok()?;
            match *name {
                "--times" => client.times = value,
                "--pause-ms" => client.pause = Duration::from_millis(value),
                "--wait" => client.wait = Duration::from_secs(value),
                _ => return None,
            }
        }
        Some(client)
    }

    fn run(&self) -> Result<()> {
        let mut stream = self.connect()?;
        println!("connected to {} ({}) from {}", self.host, stream.peer_addr()?, stream.local_addr()?);
        let mut answers = BufReader::new(stream.try_clone()?);
        let mut count = 0;
        while self.times == 0 || count < self.times {
            count += 1;
            stream.write_all(format!("{}\n", self.text).as_bytes())?;
            let mut answer = String::new();
            answers.read_line(&mut answer)?;
            if answer.trim_end_matches('\n') != self.text {
                return Err(Error::other(format!("sent {:?}, got {answer:?}", self.text)));
            }
            println!("{count}: {}", self.text);
            std::thread::sleep(self.pause);
        }
        Ok(())
    }

    /// Connects to the first address that answers, again and again until the time is over.
    fn connect(&self) -> Result<TcpStream> {
        let start = Instant::now();
        loop {
            let tried = (self.host, self.port)
                .to_socket_addrs()
                .and_then(|addresses| TcpStream::connect(addresses.collect::<Vec<_>>().as_slice()));
            match tried {
                Ok(stream) => return Ok(stream),
                Err(error) if start.elapsed() >= self.wait => {
                    return Err(Error::new(error.kind(), format!("{}:{}: {error}", self.host, self.port)));
                }
                Err(_) => std::thread::sleep(Duration::from_millis(200)),
            }
        }
    }
}
