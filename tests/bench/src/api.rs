//! The API over TLS: rates, what each request costs the server, how fast watches are, memory.

mod client;

use crate::cluster::{Cluster, PATIENCE};
use crate::idle::usage;
use crate::samples::{Samples, milliseconds};
use anyhow::{Context, bail};
use client::Server;
use serde_json::json;
use std::time::{Duration, Instant};

/// Options of `api`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Seconds of each rate.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Lists of each size.
    #[arg(long, default_value_t = 50)]
    lists: u32,
    /// Events of each watch.
    #[arg(long, default_value_t = 500)]
    events: u32,
    /// ConfigMaps of the memory measurement.
    #[arg(long, default_value_t = 20_000)]
    objects: usize,
    /// Seconds of rest before memory is measured.
    #[arg(long, default_value_t = 15)]
    settle: u64,
}

const LIST_SIZES: [usize; 3] = [500, 2001, 5000];

/// Measures everything, on servers of its own.
pub async fn run(args: &Args) -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let cluster = Cluster::start(dir.path())?;
    tokio::time::sleep(Duration::from_secs(args.settle)).await;
    println!("memory   at rest                 {}", resident(&cluster)?);
    let server = Server::of(&cluster)?;
    for clients in [1, 16, 64] {
        creates(&cluster, &server, clients, args).await?;
    }
    gets(&cluster, &server, args).await?;
    for size in LIST_SIZES {
        lists(&cluster, &server, size, args).await?;
    }
    for watchers in [1, 100] {
        watches(&cluster, &server, watchers, args).await?;
    }
    cluster.stop()?;

    let dir = tempfile::tempdir()?;
    let cluster = Cluster::start(dir.path())?;
    let server = Server::of(&cluster)?;
    let path = namespace(&server, "many").await?;
    fill(&server, &path, args.objects).await?;
    tokio::time::sleep(Duration::from_secs(args.settle)).await;
    println!("memory   with {:6} ConfigMaps   {}", args.objects, resident(&cluster)?);
    cluster.stop()?;
    Ok(())
}

fn resident(cluster: &Cluster) -> anyhow::Result<String> {
    Ok(format!("{:.1} MB resident", usage(cluster.id())?.resident_kib as f64 * 1024.0 / 1e6))
}

/// A ConfigMap of 350 bytes as it is sent.
fn config_map(name: &str) -> String {
    let map = |filler: usize| {
        let labels = json!({"app": "bench"});
        let metadata = json!({"name": name, "labels": labels});
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"key": "x".repeat(filler)}})
            .to_string()
    };
    let bare = map(0).len();
    map(350usize.saturating_sub(bare))
}

/// Makes a namespace and waits until the server has put its own ConfigMap there; the path of its ConfigMaps.
async fn namespace(server: &Server, name: &str) -> anyhow::Result<String> {
    let mut connection = server.connect().await?;
    let body = json!({"metadata": {"name": name}}).to_string();
    connection.expect(&server.request("POST", "/api/v1/namespaces", &body), 201).await?;
    let path = format!("/api/v1/namespaces/{name}/configmaps");
    let own = server.request("GET", &format!("{path}/kube-root-ca.crt"), "");
    let begin = Instant::now();
    while connection.ask(&own).await?.0 != 200 {
        if begin.elapsed() > PATIENCE {
            bail!("namespace {name} has no root certificate after {PATIENCE:?}");
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(path)
}

/// Makes `count` ConfigMaps, over several connections.
async fn fill(server: &Server, path: &str, count: usize) -> anyhow::Result<()> {
    let clients = 64;
    let work = (0..clients).map(|client| {
        let (server, path) = (server.clone(), path.to_owned());
        tokio::spawn(async move {
            let mut connection = server.connect().await?;
            for n in (client..count).step_by(clients) {
                connection.expect(&server.request("POST", &path, &config_map(&format!("c-{n:06}"))), 201).await?;
            }
            anyhow::Ok(())
        })
    });
    for done in futures::future::join_all(work).await {
        done??;
    }
    Ok(())
}

/// Runs `clients` loops of requests for some seconds and prints rate, latency and the server's CPU
/// time. `make` gives the request of a client by its number.
async fn rate(
    what: &str,
    (cluster, server): (&Cluster, &Server),
    (clients, seconds): (usize, u64),
    expected: u16,
    make: impl Fn(usize, usize) -> Vec<u8> + Clone + Send + 'static,
) -> anyhow::Result<()> {
    let mut connections = Vec::new();
    for _ in 0..clients {
        connections.push(server.connect().await?);
    }
    let before = usage(cluster.id())?.cpu;
    let begin = Instant::now();
    let end = begin + Duration::from_secs(seconds);
    let loops = connections.into_iter().enumerate().map(|(client, mut connection)| {
        let make = make.clone();
        tokio::spawn(async move {
            let mut samples = Vec::new();
            while Instant::now() < end {
                let request = make(client, samples.len());
                let sent = Instant::now();
                connection.expect(&request, expected).await?;
                samples.push(sent.elapsed());
            }
            anyhow::Ok(samples)
        })
    });
    let mut all = Vec::new();
    for samples in futures::future::join_all(loops).await {
        all.extend(samples??);
    }
    let (took, cpu) = (begin.elapsed(), usage(cluster.id())?.cpu - before);
    print_rate(what, &Samples::from(all), took, cpu);
    Ok(())
}

fn print_rate(what: &str, samples: &Samples, took: Duration, cpu: Duration) {
    let count = samples.count().max(1) as f64;
    println!(
        "{what:32} {:8.0}/s  p50 {:>6} ms  p99 {:>6} ms  {:.3} ms of server CPU each  (n={})",
        count / took.as_secs_f64(),
        milliseconds(samples.percentile(50)),
        milliseconds(samples.percentile(99)),
        cpu.as_secs_f64() * 1e3 / count,
        samples.count(),
    );
}

async fn creates(cluster: &Cluster, server: &Server, clients: usize, args: &Args) -> anyhow::Result<()> {
    let path = namespace(server, &format!("creates-{clients}")).await?;
    let maker = server.clone();
    let make = move |client, n| maker.request("POST", &path, &config_map(&format!("c-{client:02}-{n:06}")));
    rate(&format!("creates  {clients:2} clients"), (cluster, server), (clients, args.seconds), 201, make).await
}

async fn gets(cluster: &Cluster, server: &Server, args: &Args) -> anyhow::Result<()> {
    let path = namespace(server, "gets").await?;
    server.connect().await?.expect(&server.request("POST", &path, &config_map("one")), 201).await?;
    let request = server.request("GET", &format!("{path}/one"), "");
    rate("gets     64 connections", (cluster, server), (64, args.seconds), 200, move |_, _| request.clone()).await
}

async fn lists(cluster: &Cluster, server: &Server, size: usize, args: &Args) -> anyhow::Result<()> {
    let path = namespace(server, &format!("list-{size}")).await?;
    // The server's own one is the last.
    fill(server, &path, size - 1).await?;
    let request = server.request("GET", &path, "");
    let mut connection = server.connect().await?;
    let bytes = connection.expect(&request, 200).await?;
    let before = usage(cluster.id())?.cpu;
    let (begin, mut samples) = (Instant::now(), Vec::new());
    for _ in 0..args.lists {
        let sent = Instant::now();
        connection.expect(&request, 200).await?;
        samples.push(sent.elapsed());
    }
    let (took, cpu) = (begin.elapsed(), usage(cluster.id())?.cpu - before);
    print_rate(&format!("list     {size:5} ({:.1} MB)", bytes as f64 / 1e6), &Samples::from(samples), took, cpu);
    Ok(())
}

/// From sending a POST to reading its event; the next POST follows when all watchers have seen it.
async fn watches(cluster: &Cluster, server: &Server, watchers: usize, args: &Args) -> anyhow::Result<()> {
    let path = namespace(server, &format!("watch-{watchers}")).await?;
    let request = server.request("GET", &format!("{path}?watch=1&timeoutSeconds=3600"), "");
    let (seen, mut told) = tokio::sync::mpsc::channel::<Instant>(watchers);
    let count = args.events;
    let mut tasks = Vec::new();
    for _ in 0..watchers {
        let mut connection = server.connect().await?;
        connection.watch(&request).await?;
        connection.until(b"kube-root-ca.crt").await?;
        let seen = seen.clone();
        tasks.push(tokio::spawn(async move {
            for n in 0..count {
                connection.until(format!("\"name\":\"w-{n:06}\"").as_bytes()).await?;
                seen.send(Instant::now()).await?;
            }
            anyhow::Ok(())
        }));
    }
    let mut connection = server.connect().await?;
    let before = usage(cluster.id())?.cpu;
    let (begin, mut samples) = (Instant::now(), Vec::new());
    for n in 0..count {
        let request = server.request("POST", &path, &config_map(&format!("w-{n:06}")));
        let sent = Instant::now();
        connection.expect(&request, 201).await?;
        for _ in 0..watchers {
            let at = tokio::time::timeout(PATIENCE, told.recv()).await.context("an event is missing")?;
            samples.push(at.context("the watchers ended")? - sent);
        }
    }
    let (took, cpu) = (begin.elapsed(), usage(cluster.id())?.cpu - before);
    print_rate(&format!("watch    {watchers:3} watchers, to event"), &Samples::from(samples), took, cpu);
    for task in tasks {
        task.await??;
    }
    Ok(())
}
