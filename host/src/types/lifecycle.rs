//! Commands about the life of installed modules: activation, at once or at a later point of the
//! log, and their end.

use std::fmt;
use std::ops::RangeInclusive;

use quorate_wire::{DecodeError, Reader, Writer};
use sha2::{Digest, Sha256};

use super::command::ModuleManifest;
use super::ids::{ClusterId, Lsn, ModuleDigest};

/// Tags of host commands that are these; append-only.
pub(super) const TAGS: RangeInclusive<u8> = 16..=19;
/// Tag of an activation as it was written before there were gates other than two, a time and a
/// consent.
pub(super) const FIRST_ACTIVATE: u8 = 7;
/// Tag of an installation with a signature.
pub(super) const INSTALL_SIGNED: u8 = 21;

/// What to do with an installed module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lifecycle {
    /// Makes it the active one.
    Activate(Order),
    /// Carries out the activation that was scheduled at an LSN, if it is due.
    RunScheduled {
        /// The entry that scheduled it.
        since: Lsn,
    },
    /// Forgets the activation that is scheduled.
    CancelScheduled,
    /// Removes a module's file. What it was stays known.
    Retire {
        /// Which.
        digest: ModuleDigest,
    },
    /// Makes a module known to the cluster, as `InstallModule` does, with a signature of its file.
    InstallSigned {
        /// The module.
        manifest: ModuleManifest,
        /// The text of a minisign signature file.
        signature: String,
    },
}

/// An activation as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The module to activate.
    pub to: ModuleDigest,
    /// The module that must be active before; `None` for the first.
    pub expected: Option<ModuleDigest>,
    /// Who must have acknowledged it.
    pub gate: Gate,
    /// When it takes effect.
    pub when: When,
    /// To what clients of the module before will miss.
    pub consent: Consent,
}

/// Which voters must have said that they can run a module, by the membership in force when it is
/// activated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Gate {
    /// All of them.
    #[default]
    All,
    /// A majority. The others stop applying there until they can run it.
    Quorum,
    /// One frontend, voter or not: all others stop applying there until they can run it.
    One,
}

/// The point of the log at which an activation takes effect.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum When {
    /// With the command itself.
    #[default]
    Now,
    /// Before the commands of the first entry that is not below this LSN and has any.
    AtLsn(Lsn),
    /// When so many microseconds have passed since the order, by leaders' clocks.
    After(u64),
}

/// Whether whoever ordered an activation knows what it takes away from clients.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Consent {
    /// Refused if anything is taken away.
    #[default]
    None,
    /// They have seen what it is: the token was shown with it.
    Token(BreakToken),
    /// Not asked: there is nothing before it, or clients know it as what was active before.
    Waived,
}

/// Stands for one step from one module to another in one cluster, so that a consent to it cannot be
/// taken for a consent to anything else.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct BreakToken(pub [u8; 8]);

impl BreakToken {
    /// Of the step `from` one module `to` another.
    pub fn new(cluster: ClusterId, from: ModuleDigest, to: ModuleDigest) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"quorate breaking change");
        hash.update(cluster.0.to_be_bytes());
        hash.update(from.0);
        hash.update(to.0);
        let hash: [u8; 32] = hash.finalize().into();
        Self(*hash.first_chunk().expect("a hash has 32 bytes"))
    }

    /// Reads what [`Display`](fmt::Display) wrote.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.len() == 16 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
        let number = digits.then(|| u64::from_str_radix(text, 16).ok()).flatten()?;
        Some(Self(number.to_be_bytes()))
    }
}

impl fmt::Display for BreakToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

impl fmt::Debug for BreakToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BreakToken({self})")
    }
}

impl Lifecycle {
    pub(super) fn encode(&self, out: &mut Writer) {
        match self {
            Self::Activate(order) => {
                out.byte(16);
                order.encode(out);
            }
            Self::RunScheduled { since } => {
                out.byte(17);
                since.encode(out);
            }
            Self::CancelScheduled => out.byte(18),
            Self::Retire { digest } => {
                out.byte(19);
                out.raw(&digest.0);
            }
            Self::InstallSigned { manifest, signature } => {
                out.byte(INSTALL_SIGNED);
                manifest.encode(out);
                out.text(signature);
            }
        }
    }

    pub(super) fn decode(tag: u8, input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(match tag {
            FIRST_ACTIVATE => {
                let (to, expected) = (ModuleDigest(input.array()?), optional_digest(input)?);
                let gate = if input.flag()? { Gate::One } else { Gate::All };
                Self::Activate(Order {
                    to,
                    expected,
                    gate,
                    when: When::Now,
                    consent: Consent::Waived,
                })
            }
            16 => Self::Activate(Order::decode(input)?),
            17 => Self::RunScheduled { since: Lsn::decode(input)? },
            18 => Self::CancelScheduled,
            19 => Self::Retire { digest: ModuleDigest(input.array()?) },
            INSTALL_SIGNED => Self::InstallSigned {
                manifest: ModuleManifest::decode(input)?,
                signature: input.text()?,
            },
            tag => return Err(DecodeError::Version(tag)),
        })
    }
}

impl Order {
    /// At once, for a module that all voters have acknowledged, without consent to anything.
    pub fn new(to: ModuleDigest, expected: Option<ModuleDigest>) -> Self {
        let (gate, when, consent) = (Gate::default(), When::default(), Consent::default());
        Self { to, expected, gate, when, consent }
    }

    /// Packs the order.
    pub fn encode(&self, out: &mut Writer) {
        out.raw(&self.to.0);
        out.optional_bytes(self.expected.as_ref().map(|digest| digest.0.as_slice()));
        out.byte(match self.gate {
            Gate::All => 0,
            Gate::Quorum => 1,
            Gate::One => 2,
        });
        match self.when {
            When::Now => out.byte(0),
            When::AtLsn(lsn) => {
                out.byte(1);
                lsn.encode(out);
            }
            When::After(delay_us) => {
                out.byte(2);
                out.unsigned(delay_us);
            }
        }
        match self.consent {
            Consent::None => out.byte(0),
            Consent::Token(token) => {
                out.byte(1);
                out.raw(&token.0);
            }
            Consent::Waived => out.byte(2),
        }
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    /// When the bytes are cut short or hold an unknown tag.
    pub fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (to, expected) = (ModuleDigest(input.array()?), optional_digest(input)?);
        let gate = match input.byte()? {
            0 => Gate::All,
            1 => Gate::Quorum,
            2 => Gate::One,
            tag => return Err(DecodeError::Version(tag)),
        };
        let when = match input.byte()? {
            0 => When::Now,
            1 => When::AtLsn(Lsn::decode(input)?),
            2 => When::After(input.unsigned()?),
            tag => return Err(DecodeError::Version(tag)),
        };
        let consent = match input.byte()? {
            0 => Consent::None,
            1 => Consent::Token(BreakToken(input.array()?)),
            2 => Consent::Waived,
            tag => return Err(DecodeError::Version(tag)),
        };
        Ok(Self { to, expected, gate, when, consent })
    }
}

fn optional_digest(input: &mut Reader<'_>) -> Result<Option<ModuleDigest>, DecodeError> {
    let digest = input.optional_bytes()?.map(|raw| raw.try_into().map(ModuleDigest));
    digest.transpose().map_err(|_| DecodeError::Range)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use bytes::Bytes;

    use super::*;

    fn all() -> Vec<Lifecycle> {
        let to = ModuleDigest([7; 32]);
        let manifest =
            ModuleManifest { digest: to, size_bytes: 9, description: Bytes::from_static(b"d") };
        let token = BreakToken([1, 2, 3, 4, 5, 6, 7, 8]);
        let now = Order::new(to, None);
        vec![
            Lifecycle::Activate(now.clone()),
            Lifecycle::Activate(Order {
                expected: Some(to),
                gate: Gate::Quorum,
                when: When::AtLsn(Lsn(300)),
                consent: Consent::Token(token),
                ..now.clone()
            }),
            Lifecycle::Activate(Order {
                gate: Gate::One,
                when: When::After(300),
                consent: Consent::Waived,
                ..now
            }),
            Lifecycle::RunScheduled { since: Lsn(300) },
            Lifecycle::CancelScheduled,
            Lifecycle::Retire { digest: to },
            Lifecycle::InstallSigned { manifest, signature: "s".into() },
        ]
    }

    /// What is in a log stays readable only if these bytes never change.
    #[test]
    fn the_bytes_of_a_command_about_modules_are_fixed() {
        let packed = all().into_iter().map(|command| {
            let mut out = Writer::new();
            command.encode(&mut out);
            out.finish()
        });
        let digest = [7u8; 32].as_slice();
        let expected = [
            [b"\x10", digest, b"\0\0\0\0"].concat(),
            [
                b"\x10",
                digest,
                b"\x01\x20",
                digest,
                b"\x01\x01\xac\x02\x01\x01\x02\x03\x04\x05\x06\x07\x08",
            ]
            .concat(),
            [b"\x10", digest, b"\0\x02\x02\xac\x02\x02"].concat(),
            b"\x11\xac\x02".to_vec(),
            b"\x12".to_vec(),
            [b"\x13", digest].concat(),
            [b"\x15", digest, b"\x09\x01d\x01s"].concat(),
        ];
        assert_eq!(packed.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn an_activation_of_an_older_release_means_what_it_meant() {
        let bytes = [[7u8; 32].as_slice(), b"\0\x01"].concat();
        let mut input = Reader::new(&bytes);
        let order = Order {
            gate: Gate::One,
            consent: Consent::Waived,
            ..Order::new(ModuleDigest([7; 32]), None)
        };
        let decoded = Lifecycle::decode(FIRST_ACTIVATE, &mut input).unwrap();
        assert_eq!(decoded, Lifecycle::Activate(order));
    }

    #[test]
    fn a_token_is_of_one_step_in_one_cluster_and_can_be_typed() {
        let (one, two) = (ModuleDigest([1; 32]), ModuleDigest([2; 32]));
        let token = BreakToken::new(ClusterId(1), one, two);
        assert_ne!(token, BreakToken::new(ClusterId(1), two, one));
        assert_ne!(token, BreakToken::new(ClusterId(2), one, two));
        assert_eq!(BreakToken::parse(&token.to_string()), Some(token));
        for wrong in ["", "12", "+123456789abcdef", "123456789abcdefg"] {
            assert_eq!(BreakToken::parse(wrong), None, "{wrong}");
        }
    }
}
