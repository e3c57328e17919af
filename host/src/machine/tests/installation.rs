//! Module files come in whole or not at all.

use bytes::Bytes;

use super::support::*;
use crate::machine::{CHUNK_BYTES_MAX, FILE_BYTES_MAX, UPLOADS_MAX};
use crate::types::{HostCommand, ModuleDigest, Outcome};

fn guest(bytes: &'static [u8], version: &str) -> Guest {
    Guest::described(Bytes::from_static(bytes), describe("m", version, 1, &[]))
}

/// Runs each command as an entry of its own.
struct Cluster {
    node: Node,
    log: Log,
    client: Client,
}

impl Cluster {
    fn new() -> Self {
        let node = Node::open(Disk::memory().open(), &runtime());
        Self { node, log: Log::default(), client: Client::new(1) }
    }

    fn run(&mut self, command: HostCommand) -> Outcome {
        let entry = self.log.commands(&[self.client.host(command)]);
        self.node.outcomes(entry)[0].1.clone()
    }

    fn chunk(&mut self, digest: ModuleDigest, index: u32, bytes: Bytes) -> Outcome {
        self.run(HostCommand::PutModuleChunk { digest, index, bytes })
    }
}

#[test]
fn chunks_come_in_order_and_may_come_twice() {
    let mut cluster = Cluster::new();
    let digest = ModuleDigest([1; 32]);
    let bytes = Bytes::from_static(b"chunk");
    let refused = cluster.chunk(digest, 1, bytes.clone());
    assert_eq!(refusal(&refused), "chunk 0 of the module comes next, not 1");
    assert_eq!(affected(&cluster.chunk(digest, 0, bytes.clone())), 1);
    assert_eq!(affected(&cluster.chunk(digest, 0, bytes.clone())), 0);
    assert_eq!(affected(&cluster.chunk(digest, 1, bytes)), 1);
    // A first chunk with other content begins the file again.
    assert_eq!(affected(&cluster.chunk(digest, 0, Bytes::from_static(b"other"))), 1);
    let late = cluster.chunk(digest, 2, Bytes::from_static(b"x"));
    assert_eq!(refusal(&late), "chunk 1 of the module comes next, not 2");
}

#[test]
fn empty_and_oversized_chunks_and_files_are_refused() {
    let mut cluster = Cluster::new();
    let digest = ModuleDigest([1; 32]);
    assert!(refusal(&cluster.chunk(digest, 0, Bytes::new())).contains("a chunk has"));
    let large = Bytes::from(vec![0; CHUNK_BYTES_MAX + 1]);
    assert!(refusal(&cluster.chunk(digest, 0, large)).contains("a chunk has"));
    let most = u32::try_from(FILE_BYTES_MAX / CHUNK_BYTES_MAX as u64).unwrap();
    let whole = Bytes::from(vec![0; CHUNK_BYTES_MAX]);
    for index in 0..most {
        assert_eq!(affected(&cluster.chunk(digest, index, whole.clone())), 1);
    }
    let beyond = cluster.chunk(digest, most, Bytes::from_static(b"x"));
    assert!(refusal(&beyond).contains("at most"));
}

#[test]
fn a_file_is_installed_only_when_it_is_the_one_that_its_manifest_names() {
    let mut cluster = Cluster::new();
    let guest = guest(b"component", "1.0.0");
    let install = HostCommand::InstallModule(guest.manifest.clone());
    let missing = cluster.run(install.clone());
    assert_eq!(refusal(&missing), "0 of the module's 9 bytes are here");
    cluster.chunk(guest.digest(), 0, Bytes::from_static(b"componen"));
    assert_eq!(refusal(&cluster.run(install.clone())), "8 of the module's 9 bytes are here");
    cluster.chunk(guest.digest(), 1, Bytes::from_static(b"x"));
    let other = cluster.run(install);
    assert_eq!(refusal(&other), "the module's bytes do not have its digest");
    assert!(cluster.node.machine.view().modules().is_empty());
}

#[test]
fn a_name_and_version_stand_for_one_file() {
    let mut cluster = Cluster::new();
    let (first, second) = (guest(b"first", "1.0.0"), guest(b"second", "1.0.0"));
    let mut last = None;
    for command in first.install().into_iter().chain(second.install()) {
        last = Some(cluster.run(command));
    }
    let Some(Outcome::Refused(failure)) = last else { panic!("{last:?}") };
    assert_eq!(failure.code, 1007);
    assert_eq!(failure.message, "module 'm@1.0.0' exists with other content");

    let again = cluster.run(HostCommand::InstallModule(first.manifest.clone()));
    assert_eq!(affected(&again), 0);
    let late = cluster.chunk(first.digest(), 0, Bytes::from_static(b"late"));
    assert_eq!(affected(&late), 0);
    let view = cluster.node.machine.view();
    assert_eq!(view.modules().len(), 1);
    assert_eq!(view.module_bytes(first.digest()).unwrap(), b"first");
    assert!(view.module_bytes(second.digest()).is_err());
}

#[test]
fn a_description_that_cannot_be_read_or_names_nothing_is_refused() {
    let mut cluster = Cluster::new();
    for (description, text) in [
        (Bytes::new(), "the module's description"),
        (describe("m", "", 1, &[]), "'' cannot be a module's version"),
    ] {
        let guest = Guest::described(Bytes::from_static(b"x"), description);
        let mut last = None;
        for command in guest.install() {
            last = Some(cluster.run(command));
        }
        assert!(refusal(&last.unwrap()).contains(text));
    }
}

#[test]
fn the_upload_idle_for_the_longest_gives_way() {
    let mut cluster = Cluster::new();
    let digest = |number: usize| ModuleDigest([u8::try_from(number).unwrap(); 32]);
    let chunk = Bytes::from_static(b"c");
    for number in 0..UPLOADS_MAX {
        cluster.chunk(digest(number), 0, chunk.clone());
    }
    cluster.chunk(digest(0), 1, chunk.clone());
    cluster.chunk(digest(UPLOADS_MAX), 0, chunk.clone());
    assert_eq!(affected(&cluster.chunk(digest(0), 2, chunk.clone())), 1);
    let lost = cluster.chunk(digest(1), 1, chunk);
    assert_eq!(refusal(&lost), "chunk 0 of the module comes next, not 1");
}

#[test]
fn only_registered_frontends_acknowledge_and_only_installed_modules() {
    let mut cluster = Cluster::new();
    let guest = guest(b"component", "1.0.0");
    assert!(refusal(&cluster.run(guest.acknowledge(1))).contains("not registered"));
    cluster.run(found());
    assert!(refusal(&cluster.run(guest.acknowledge(1))).contains("not installed"));
    for command in guest.install() {
        cluster.run(command);
    }
    assert_eq!(affected(&cluster.run(guest.acknowledge(1))), 1);
    assert_eq!(affected(&cluster.run(guest.acknowledge(1))), 0);
    let acknowledgements = &cluster.node.machine.view().modules()[0].acknowledgements;
    assert_eq!(acknowledgements, &[(crate::types::NodeId(1), None)]);
}
