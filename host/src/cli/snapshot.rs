//! `quorate snapshot`: backups, from taking one to restoring it.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};

use super::client::{connect, execute, message};
use super::recover::{print, refusal, tell};
use super::{Exit, exit, table};
use crate::proto::client::SaveSnapshotRequest;
use crate::rescue::archive::{ArchiveManifest, read_archive};
use crate::rescue::{RestoreOptions, restore, verify_directory};

/// Time to take a snapshot.
const TIMEOUT: Duration = Duration::from_secs(300);
/// Silence after which a save is given up.
const IDLE_TIMEOUT: Duration = Duration::from_secs(120);

#[derive(Args)]
pub struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

/// Which frontend to talk to.
#[derive(Args)]
struct Server {
    /// gRPC address of the frontend, as host:rpc_port
    #[arg(long, default_value = "127.0.0.1:9020")]
    server: String,
}

#[derive(Subcommand)]
enum Verb {
    /// Take a snapshot on a frontend, so that its log can be shortened
    Create(Server),
    /// Save a frontend's state to a file while it runs
    Save {
        /// The file, which must not exist
        file: PathBuf,
        #[command(flatten)]
        server: Server,
        /// Also when no leader can confirm that nothing acknowledged is missing
        #[arg(long)]
        stale: bool,
    },
    /// Read all of a saved file, or of a stopped frontend's data directory, and check it
    Verify {
        /// The file or data directory
        path: PathBuf,
    },
    /// Check as verify does, and tell what is in there
    Inspect {
        /// The file or data directory
        path: PathBuf,
    },
    /// Make a data directory of a saved file, as a new generation of the cluster
    Restore {
        /// The file
        file: PathBuf,
        /// The data directory, absent or empty
        #[arg(long)]
        meta_dir: PathBuf,
        /// Host under which its frontend will be reached
        #[arg(long)]
        host: String,
        /// Its port for other frontends
        #[arg(long, default_value_t = 9010)]
        #[arg(value_parser = clap::value_parser!(u16).range(1..))]
        edit_log_port: u16,
        /// Last LSN to restore; all that the file holds without it
        #[arg(long)]
        lsn: Option<u64>,
    },
}

pub async fn run(arguments: Arguments) -> Result<(), Exit> {
    match arguments.verb {
        Verb::Create(Server { server }) => create(&server).await,
        Verb::Save { file, server, stale } => save(&file, &server.server, stale).await,
        Verb::Verify { path } => blocking(move || verify(&path)).await,
        Verb::Inspect { path } => blocking(move || inspect(&path)).await,
        Verb::Restore { file, meta_dir, host, edit_log_port, lsn } => {
            let options = RestoreOptions { file, meta_dir, host, edit_log_port, lsn };
            blocking(move || restored(&options)).await
        }
    }
}

async fn blocking(work: impl FnOnce() -> Result<(), Exit> + Send + 'static) -> Result<(), Exit> {
    tokio::task::spawn_blocking(work).await?
}

async fn create(server: &str) -> Result<(), Exit> {
    let connected = connect(server).await;
    let mut client = connected.map_err(|error| Exit::new(exit::UNREACHABLE, error))?;
    let response = execute(&mut client, "ALTER SYSTEM CREATE IMAGE", TIMEOUT).await?;
    table::print(&format!("snapshot at LSN {}", response.lsn))?;
    Ok(())
}

async fn save(path: &Path, server: &str, stale: bool) -> Result<(), Exit> {
    if path.exists() {
        let error = anyhow!("{} exists; name a new file", path.display());
        return Err(Exit::new(exit::USAGE, error));
    }
    let connected = connect(server).await;
    let mut client = connected.map_err(|error| Exit::new(exit::UNREACHABLE, error))?;
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    let part = PathBuf::from(name);
    let writing = || format!("write {}", part.display());
    let mut file =
        File::create(&part).with_context(writing).map_err(|error| Exit::new(exit::USAGE, error))?;
    let done = receive(&mut client, &mut file, stale).await;
    let synced = done.and_then(|lsns| {
        file.sync_all().with_context(writing)?;
        Ok(lsns)
    });
    let (snapshot, last) = match synced {
        Ok(lsns) => lsns,
        Err(error) => {
            // Best effort; the error to report is the first one.
            let _ = std::fs::remove_file(&part);
            return Err(error.into());
        }
    };
    // What the disk gives back is what counts.
    let (checked, target) = (part.clone(), path.to_owned());
    blocking(move || {
        read_archive(&checked).map_err(refusal)?;
        std::fs::rename(&checked, &target).with_context(|| format!("name {}", target.display()))?;
        let folder = target.parent().filter(|parent| !parent.as_os_str().is_empty());
        let synced = File::open(folder.unwrap_or(Path::new("."))).and_then(|dir| dir.sync_all());
        synced.with_context(|| format!("name {}", target.display()))?;
        Ok(())
    })
    .await?;
    table::print(&format!("saved {}: LSN {snapshot} to {last} can be restored", path.display()))?;
    Ok(())
}

/// Writes the archive, and gives the LSNs that it begins and ends with.
async fn receive(
    client: &mut crate::proto::client::client_client::ClientClient<tonic::transport::Channel>,
    file: &mut File,
    stale: bool,
) -> anyhow::Result<(u64, u64)> {
    let stream = client.save_snapshot(SaveSnapshotRequest { stale }).await;
    let mut stream = stream.map_err(|status| anyhow!("{}", message(&status)))?.into_inner();
    let progress = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {eta}") {
        progress.set_style(style);
    }
    let mut lsns = (0, 0);
    loop {
        let next = tokio::time::timeout(IDLE_TIMEOUT, stream.message()).await;
        let next = next.map_err(|_| anyhow!("the frontend sends nothing any more"))?;
        let next = next.map_err(|status| anyhow!("{}", message(&status)))?;
        let Some(response) = next else { break };
        file.write_all(&response.part).context("write the file")?;
        progress.inc(response.part.len() as u64);
        progress.set_length(response.size_estimate.max(progress.position()));
        lsns = (response.snapshot_lsn, response.last_lsn);
    }
    progress.finish_and_clear();
    Ok(lsns)
}

fn verify(path: &Path) -> Result<(), Exit> {
    if path.is_dir() {
        print(&[verify_directory(path).map_err(refusal)?])?;
    } else {
        read_archive(path).map_err(refusal)?;
    }
    table::print(&format!("{} is intact", path.display()))?;
    Ok(())
}

fn inspect(path: &Path) -> Result<(), Exit> {
    if path.is_dir() {
        return print(&[verify_directory(path).map_err(refusal)?]);
    }
    let manifest = read_archive(path).map_err(refusal)?;
    let size = std::fs::metadata(path).map_or(0, |data| data.len());
    for (name, value) in facts(&manifest, size) {
        table::print(&format!("{name:<14} {value}"))?;
    }
    Ok(())
}

fn facts(manifest: &ArchiveManifest, size: u64) -> Vec<(&'static str, String)> {
    let snapshot = &manifest.snapshot;
    let (cluster, generation) = snapshot.cluster.unwrap_or_default();
    vec![
        ("cluster", cluster.to_string()),
        ("generation", generation.to_string()),
        ("first lsn", snapshot.last.index.to_string()),
        ("last lsn", manifest.last.index.to_string()),
        ("last term", manifest.last.leader_id.term.to_string()),
        ("first digest", snapshot.digest.to_string()),
        ("last digest", manifest.digest.to_string()),
        ("module", manifest.module.clone()),
        ("frontend", manifest.frontend.clone()),
        ("version", manifest.version.clone()),
        ("taken", crate::types::format_time(snapshot.created_us.cast_signed())),
        ("files", snapshot.files.len().to_string()),
        ("state bytes", snapshot.size().to_string()),
        ("file bytes", size.to_string()),
    ]
}

fn restored(options: &RestoreOptions) -> Result<(), Exit> {
    let (_, begun) = restore(options).map_err(refusal)?;
    tell(&begun)?;
    if let Some(digest) = begun.kept_digest {
        table::print(&format!("the state at LSN {} has digest {digest}", begun.kept))?;
    }
    table::complain(&format!(
        "next: start a frontend with meta_dir={} and edit_log_port={}, and add the others with \
         ALTER SYSTEM ADD FOLLOWER; no frontend of the old generation can join",
        options.meta_dir.display(),
        options.edit_log_port
    ));
    Ok(())
}
