//! Commands that bring modules into the cluster: chunks, installation, acknowledgements.

use std::sync::Arc;

use bytes::Bytes;
use quorate_wire::Description;
use sha2::{Digest, Sha256};

use super::host::{Halt, Host, refuse, refuse_with};
use crate::machine::keys;
use crate::machine::registry::{Installed, Upload};
use crate::machine::rows;
use crate::types::{ModuleDigest, ModuleManifest, NodeId};

/// Largest chunk; a larger one is refused.
pub const CHUNK_BYTES_MAX: usize = 256 << 10;

/// Largest module file; chunks beyond it are refused.
pub const FILE_BYTES_MAX: u64 = 16 << 20;

/// Files that may be coming in at once. The one idle for the longest gives way to another.
pub const UPLOADS_MAX: usize = 8;

/// Most installed modules; another is refused.
pub const INSTALLED_MAX: usize = 256;

/// Retired modules that stay known by name; the one retired the longest ago makes way.
pub const RETIRED_MAX: usize = 256;

/// Most chunks of a file, so that they cannot all be tiny; more are refused.
const CHUNKS_MAX: u32 = 1024;

/// Longest reason that is kept of why a frontend cannot run a module; the rest is cut.
const REASON_BYTES_MAX: usize = 1 << 10;

const NAME_BYTES_MAX: usize = 64;
const VERSION_BYTES_MAX: usize = 64;

/// MySQL: ER_DB_CREATE_EXISTS, the nearest there is to "this module exists".
const EXISTS: u16 = 1007;

impl Host<'_> {
    pub fn put_chunk(
        &mut self,
        digest: ModuleDigest,
        index: u32,
        bytes: Bytes,
    ) -> Result<u64, Halt> {
        if self.registry.installed(digest).is_ok() {
            return Ok(0);
        }
        let touched = self.facts.lsn;
        let start = Upload { chunks: 0, size_bytes: 0, touched };
        let mut upload = self.registry.uploads.get(&digest).copied().unwrap_or(start);
        let key = keys::chunk(digest, index);
        if index < upload.chunks && self.overlay.get(&key)?.as_ref() == Some(&bytes) {
            return Ok(0);
        }
        if index == 0 {
            // Another file was begun under this digest, or in other chunks: begin again.
            (0..upload.chunks).for_each(|index| self.overlay.delete(keys::chunk(digest, index)));
            upload = start;
        }
        if index != upload.chunks {
            let expected = upload.chunks;
            return Err(refuse(format!("chunk {expected} of the module comes next, not {index}")));
        }
        let size_bytes = upload.size_bytes + bytes.len() as u64;
        if bytes.is_empty() || bytes.len() > CHUNK_BYTES_MAX {
            return Err(refuse(format!("a chunk has 1 to {CHUNK_BYTES_MAX} bytes")));
        }
        if size_bytes > FILE_BYTES_MAX || index >= CHUNKS_MAX {
            let message =
                format!("a module has at most {FILE_BYTES_MAX} bytes and {CHUNKS_MAX} chunks");
            return Err(refuse(message));
        }
        let upload = Upload { chunks: index + 1, size_bytes, touched };
        self.registry.uploads.insert(digest, upload);
        self.put(keys::upload(digest), rows::pack(|out| upload.encode(out)));
        self.put(key, bytes);
        self.drop_idle_upload(digest);
        Ok(1)
    }

    pub fn install(
        &mut self,
        manifest: ModuleManifest,
        signature: Option<String>,
    ) -> Result<u64, Halt> {
        let digest = manifest.digest;
        if self.registry.installed(digest).is_ok() {
            return Ok(0);
        }
        let there = self.registry.modules.values();
        if there.filter(|module| module.retired.is_none()).count() >= INSTALLED_MAX {
            let message = format!("{INSTALLED_MAX} modules are installed, the most there can be");
            return Err(refuse(message));
        }
        let description = check_description(&manifest.description)?;
        let Description { name, version, .. } = &description;
        let same = |other: &Installed| {
            other.description.name == *name
                && other.description.version == *version
                && other.manifest.digest != digest
        };
        if self.registry.modules.values().any(same) {
            let message = format!("module '{name}@{version}' exists with other content");
            return Err(refuse_with(EXISTS, message));
        }
        let file = self.check_file(&manifest)?;
        let signed = self.registry.verify(&file, signature).map_err(Halt::Refused)?;
        self.registry.uploads.remove(&digest);
        self.overlay.delete(keys::upload(digest));
        if self.registry.modules.contains_key(&digest) {
            // It was retired. What is deleted counts in the digest, so only what is there is.
            self.overlay.delete(keys::retired(digest));
            self.overlay.delete(keys::signature(digest));
        }
        self.put(keys::manifest(digest), rows::pack(|out| manifest.encode(out)));
        if let Some(signed) = &signed {
            self.put(keys::signature(digest), rows::pack(|out| signed.encode(out)));
        }
        let installed = Installed { signed, ..Installed::new(manifest, Arc::new(description)) };
        self.registry.modules.insert(digest, installed);
        Ok(1)
    }

    /// Removes a module's file. What it was stays known, as long as not too many others were
    /// retired after it.
    pub fn retire(&mut self, digest: ModuleDigest) -> Result<u64, Halt> {
        let module = self.registry.installed(digest).map_err(Halt::Refused)?.clone();
        let used = |by: &str| Err(refuse(format!("module {} is {by}", digest.short())));
        if self.registry.active.as_ref().is_some_and(|active| active.digest == digest) {
            return used("active");
        }
        if self.registry.scheduled.as_ref().is_some_and(|one| one.order.to == digest) {
            return used("scheduled to be activated; CANCEL MODULE ACTIVATION first");
        }
        let mut size_bytes = 0;
        for index in 0..CHUNKS_MAX {
            if size_bytes >= module.manifest.size_bytes {
                break;
            }
            let key = keys::chunk(digest, index);
            let chunk = self.overlay.get(&key)?;
            size_bytes +=
                chunk.ok_or_else(|| rows::damaged(&key, "chunk is missing"))?.len() as u64;
            self.overlay.delete(key);
        }
        self.forget_acknowledgements(digest);
        let lsn = self.facts.lsn;
        self.put(keys::retired(digest), rows::pack(|out| lsn.encode(out)));
        if let Some(module) = self.registry.modules.get_mut(&digest) {
            module.retired = Some(lsn);
        }
        self.forget_retired();
        Ok(1)
    }

    fn forget_acknowledgements(&mut self, digest: ModuleDigest) {
        let Some(module) = self.registry.modules.get_mut(&digest) else { return };
        for (node, _) in std::mem::take(&mut module.acknowledgements) {
            self.overlay.delete(keys::acknowledgement(digest, node));
        }
    }

    /// Keeps [`RETIRED_MAX`] retired modules, those that were retired last.
    fn forget_retired(&mut self) {
        let retired = self.registry.modules.iter();
        let mut retired: Vec<_> =
            retired.filter_map(|(digest, module)| Some((module.retired?, *digest))).collect();
        if retired.len() <= RETIRED_MAX {
            return;
        }
        retired.sort_unstable();
        for (_, digest) in &retired[..retired.len() - RETIRED_MAX] {
            let rows = [keys::manifest(*digest), keys::retired(*digest), keys::signature(*digest)];
            rows.into_iter().for_each(|key| self.overlay.delete(key));
            self.registry.modules.remove(digest);
        }
    }

    pub fn acknowledge(
        &mut self,
        node: NodeId,
        digest: ModuleDigest,
        mut refusal: Option<String>,
    ) -> Result<u64, Halt> {
        if let Some(reason) = &mut refusal {
            reason.truncate(reason.floor_char_boundary(REASON_BYTES_MAX));
        }
        if !self.registry.frontends.contains_key(&node) {
            return Err(refuse(format!("frontend {node} is not registered")));
        }
        self.registry.installed(digest).map_err(Halt::Refused)?;
        let module = self.registry.modules.get_mut(&digest).ok_or_else(|| unknown(digest))?;
        if module.acknowledgements.get(&node) == Some(&refusal) {
            return Ok(0);
        }
        let row = rows::pack(|out| out.optional_bytes(refusal.as_ref().map(String::as_bytes)));
        module.acknowledgements.insert(node, refusal);
        self.put(keys::acknowledgement(digest, node), row);
        Ok(1)
    }

    /// The file, if all of its chunks are there and are what the manifest names.
    fn check_file(&self, manifest: &ModuleManifest) -> Result<Vec<u8>, Halt> {
        let digest = manifest.digest;
        let upload = self.registry.uploads.get(&digest);
        let Some(upload) = upload.filter(|upload| upload.size_bytes == manifest.size_bytes) else {
            let (here, of) = (upload.map_or(0, |upload| upload.size_bytes), manifest.size_bytes);
            return Err(refuse(format!("{here} of the module's {of} bytes are here")));
        };
        let mut file = Vec::new();
        for index in 0..upload.chunks {
            let key = keys::chunk(digest, index);
            let chunk = self.overlay.get(&key)?;
            file.extend_from_slice(&chunk.ok_or_else(|| rows::damaged(&key, "chunk is missing"))?);
        }
        if <[u8; 32]>::from(Sha256::digest(&file)) != digest.0 {
            return Err(refuse("the module's bytes do not have its digest"));
        }
        Ok(file)
    }

    fn drop_idle_upload(&mut self, kept: ModuleDigest) {
        if self.registry.uploads.len() <= UPLOADS_MAX {
            return;
        }
        let others = self.registry.uploads.iter().filter(|(digest, _)| **digest != kept);
        let idle = others.min_by_key(|(digest, upload)| (upload.touched, **digest));
        let Some((digest, upload)) = idle.map(|(digest, upload)| (*digest, *upload)) else {
            return;
        };
        self.registry.uploads.remove(&digest);
        self.overlay.delete(keys::upload(digest));
        (0..upload.chunks).for_each(|index| self.overlay.delete(keys::chunk(digest, index)));
    }
}

fn check_description(packed: &[u8]) -> Result<Description, Halt> {
    let description = Description::unpack(packed)
        .map_err(|error| refuse(format!("the module's description: {error}")))?;
    let Description { name, version, .. } = &description;
    let letter = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_'
    };
    if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.bytes().all(letter) {
        return Err(refuse(format!("'{name}' cannot be a module's name")));
    }
    if version.is_empty() || version.len() > VERSION_BYTES_MAX {
        return Err(refuse(format!("'{version}' cannot be a module's version")));
    }
    Ok(description)
}

/// Refuses a command about a module that is not installed.
pub fn unknown(digest: ModuleDigest) -> Halt {
    refuse(format!("module {} is not installed", digest.short()))
}
