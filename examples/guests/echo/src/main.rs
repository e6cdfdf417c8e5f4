//! A TCP server that sends back what it gets, and its client.
//!
//!     echo serve PORT
//!     echo client HOST PORT TEXT [--times N] [--pause-ms MS] [--wait SECONDS]
//!
//! The client sends TEXT as a line N times (1; 0 is for ever) over one connection, checks each
//! answer, and tries for `--wait` seconds (30) to reach a server that is still starting.

use std::env;
use std::io::{BufRead, BufReader, Error, Result, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use wasip2::sockets::instance_network::instance_network;
use wasip2::sockets::network::{ErrorCode, IpAddressFamily, IpSocketAddress, Ipv4SocketAddress, Ipv6SocketAddress};
use wasip2::sockets::tcp::TcpSocket;
use wasip2::sockets::tcp_create_socket::create_tcp_socket;
use wstd::io::{AsyncInputStream, AsyncOutputStream};
use wstd::runtime::AsyncPollable;

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
    let port: u16 = port.parse().map_err(|_| Error::other(format!("{port:?} is no port")))?;
    let listener = listen(port).map_err(failed)?;
    println!("listening on port {port}");
    wstd::runtime::block_on(async {
        let arrivals = AsyncPollable::new(listener.subscribe());
        loop {
            arrivals.wait_for().await;
            let (connection, input, output) = match listener.accept() {
                Ok(accepted) => accepted,
                Err(ErrorCode::WouldBlock | ErrorCode::ConnectionAborted) => continue,
                Err(code) => return Err(failed(code)),
            };
            println!("connection from {}", connection.remote_address().map_or_else(|code| code.to_string(), shown));
            wstd::runtime::spawn(async move {
                let (input, output) = (AsyncInputStream::new(input), AsyncOutputStream::new(output));
                // The streams belong to the connection, which goes last.
                if let Err(error) = wstd::io::copy(input, output).await {
                    println!("connection lost: {error}");
                }
                drop(connection);
            })
            .detach();
        }
    })
}

/// A socket that accepts connections to `port` at every address of the Pod.
fn listen(port: u16) -> std::result::Result<TcpSocket, ErrorCode> {
    let socket = create_tcp_socket(IpAddressFamily::Ipv4)?;
    let anywhere = IpSocketAddress::Ipv4(Ipv4SocketAddress { port, address: (0, 0, 0, 0) });
    socket.start_bind(&instance_network(), anywhere)?;
    socket.subscribe().block();
    socket.finish_bind()?;
    socket.start_listen()?;
    socket.subscribe().block();
    socket.finish_listen()?;
    Ok(socket)
}

fn failed(code: ErrorCode) -> Error {
    Error::other(code)
}

fn shown(address: IpSocketAddress) -> String {
    match address {
        IpSocketAddress::Ipv4(Ipv4SocketAddress { port, address: (a, b, c, d) }) => format!("{a}.{b}.{c}.{d}:{port}"),
        IpSocketAddress::Ipv6(Ipv6SocketAddress { port, address: (a, b, c, d, e, f, g, h), .. }) => {
            SocketAddr::from(([a, b, c, d, e, f, g, h], port)).to_string()
        }
    }
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
        let stream = self.connect()?;
        println!("connected to {} ({}) from {}", self.host, stream.peer_addr()?, stream.local_addr()?);
        let mut answers = BufReader::new(&stream);
        let mut count = 0;
        while self.times == 0 || count < self.times {
            count += 1;
            (&stream).write_all(format!("{}\n", self.text).as_bytes())?;
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
