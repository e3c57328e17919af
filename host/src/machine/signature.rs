//! Who vouches for a module: minisign signatures, verified against keys that the cluster trusts.
//!
//! The keys and whether a signature is needed are replicated settings, and a signature goes through
//! the log with its module, so all frontends judge alike. A signature is verified once, when its
//! module is installed; the key that it verified with is kept, and must still be trusted when the
//! module is activated.

use minisign_verify::{PublicKey, Signature};
use quorate_wire::{DecodeError, Failure, Reader, Writer};

use super::gate::refused;
use super::registry::{Installed, Registry};

/// Setting: public keys of minisign in base64, several with `;`.
pub const TRUSTED_KEYS: &str = "module_trusted_keys";
/// Setting: `true` refuses modules without a signature by one of them.
pub const REQUIRE: &str = "require_module_signatures";

/// Longest signature file; a longer one is refused.
pub const SIGNATURE_BYTES_MAX: usize = 2 << 10;

/// A signature that was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// The text of the signature file.
    pub signature: String,
    /// The public key that it was verified with.
    pub key: String,
}

impl Signed {
    /// As stored.
    pub fn encode(&self, out: &mut Writer) {
        out.text(&self.signature);
        out.text(&self.key);
    }

    /// Reads what [`encode`](Self::encode) wrote.
    pub fn decode(row: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { signature: row.text()?, key: row.text()? })
    }
}

/// Whether a value can be that of [`TRUSTED_KEYS`].
pub fn are_keys(value: &str) -> bool {
    keys(value).all(|key| PublicKey::from_base64(key).is_ok())
}

fn keys(value: &str) -> impl Iterator<Item = &str> {
    value.split(';').map(str::trim).filter(|key| !key.is_empty())
}

impl Registry {
    /// Verifies the signature of a file that is being installed, if it has one.
    ///
    /// # Errors
    /// When it is not by a trusted key, not of this file, or missing though it is needed.
    pub fn verify(
        &self,
        file: &[u8],
        signature: Option<String>,
    ) -> Result<Option<Signed>, Failure> {
        let Some(text) = signature else {
            return if self.requires_signatures() { Err(unsigned()) } else { Ok(None) };
        };
        if text.len() > SIGNATURE_BYTES_MAX {
            let message = format!("a signature has at most {SIGNATURE_BYTES_MAX} bytes");
            return Err(refused(message));
        }
        let signature = Signature::decode(&text)
            .map_err(|_| refused("the signature is not one of minisign".to_owned()))?;
        let by = self.trusted_keys().find(|key| {
            let key = PublicKey::from_base64(key);
            key.is_ok_and(|key| key.verify(file, &signature, false).is_ok())
        });
        match by {
            Some(key) => Ok(Some(Signed { key: key.to_owned(), signature: text })),
            None => Err(refused(format!(
                "the signature is not one of this file by a key that the cluster trusts; \
                 {TRUSTED_KEYS} lists {} keys",
                self.trusted_keys().count()
            ))),
        }
    }

    /// # Errors
    /// When signatures are needed, and the module has none by a key that is trusted now.
    pub fn check_signed(&self, target: &Installed) -> Result<(), Failure> {
        if !self.requires_signatures() {
            return Ok(());
        }
        let signed = target.signed.as_ref().ok_or_else(unsigned)?;
        if self.trusted_keys().any(|key| key == signed.key) {
            return Ok(());
        }
        let message =
            format!("the module is signed by {}, which is not trusted any more", signed.key);
        Err(refused(message))
    }

    /// Who vouches for a module and what that is worth now, for people.
    pub fn signed_by(&self, signed: Option<&Signed>) -> String {
        match signed {
            Some(Signed { key, .. }) if self.trusted_keys().any(|trusted| trusted == key) => {
                key.clone()
            }
            Some(Signed { key, .. }) => format!("{key}, which is not trusted any more"),
            None if self.requires_signatures() => format!("nobody, and {REQUIRE} is on"),
            None => "nobody".to_owned(),
        }
    }

    fn requires_signatures(&self) -> bool {
        self.settings.get(REQUIRE).is_some_and(|value| value == "true")
    }

    fn trusted_keys(&self) -> impl Iterator<Item = &str> {
        self.settings.get(TRUSTED_KEYS).into_iter().flat_map(|value| keys(value))
    }
}

fn unsigned() -> Failure {
    refused(format!("the module is not signed, and {REQUIRE} is on"))
}
