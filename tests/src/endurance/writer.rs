//! A client that writes, and notes how each write ended; and the look at what is left of it.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use quorate::proto::client::Consistency;
use tokio::time::{Instant, interval};

use super::client::{Client, Miss};
use super::history::{Ended, Found, History, Put, Swap};

/// After a swap of unknown outcome, between two questions where its client's chain is, and for how
/// long they are asked.
const LOOK_INTERVAL: Duration = Duration::from_millis(10);
const LOOK_LIMIT: Duration = Duration::from_secs(60);

/// One client with keys of its own.
pub struct Writer {
    number: usize,
    client: Client,
    history: History,
    /// The swap that the chain is at.
    at: u64,
}

fn put_key(client: usize, number: u64) -> Vec<u8> {
    format!("p{client:03}/{number:012}").into_bytes()
}

fn put_value(client: usize, number: u64) -> Vec<u8> {
    format!("value {number} of client {client}, {}", "x".repeat(100)).into_bytes()
}

fn chain_key(client: usize) -> Vec<u8> {
    format!("chain{client:03}").into_bytes()
}

fn chain_value(number: u64) -> Vec<u8> {
    number.to_string().into_bytes()
}

impl Writer {
    /// The number names its keys; no other writer of the cluster has it.
    pub fn new(number: usize, client: Client) -> Self {
        Self { number, client, history: History::default(), at: 0 }
    }

    /// What it did.
    pub fn into_history(self) -> History {
        self.history
    }

    /// Puts a new key. None: nothing was sent.
    ///
    /// # Errors
    /// When the answer is not one to a put.
    pub async fn put(&mut self) -> Result<Option<Ended>> {
        let next = self.history.puts.len() as u64;
        let (key, value) = (put_key(self.number, next), put_value(self.number, next));
        let request = kv::Request::Put { key: &key, value: &value };
        let (ended, lsn) = match self.client.call(&request, Consistency::Session).await {
            Ok(answer) => match kv::Response::unpack(&answer) {
                Ok(kv::Response::Put { version }) => (Ended::Ok, Some(version)),
                other => bail!("a put was answered {other:?}"),
            },
            Err(Miss::NotSent) => return Ok(None),
            Err(Miss::Failed(_)) => (Ended::Failed, None),
            Err(Miss::Uncertain(_)) => (Ended::Uncertain, None),
        };
        self.history.puts.push(Put { ended, lsn });
        Ok(Some(ended))
    }

    /// Moves its chain on. None: nothing was sent.
    ///
    /// # Errors
    /// When the answer is not one to a swap, or the chain cannot be read afterwards.
    pub async fn swap(&mut self) -> Result<Option<Ended>> {
        let next = self.history.swaps.len() as u64 + 1;
        let (key, old) = (chain_key(self.number), chain_value(self.at));
        let new = chain_value(next);
        let old = (self.at > 0).then_some(old.as_slice());
        let request = kv::Request::Swap { key: &key, old, new: Some(&new) };
        let ended = match self.client.call(&request, Consistency::Session).await {
            Ok(answer) => match kv::Response::unpack(&answer) {
                Ok(kv::Response::Swap(true)) => Ended::Ok,
                Ok(kv::Response::Swap(false)) => Ended::Refused,
                other => bail!("a swap was answered {other:?}"),
            },
            Err(Miss::NotSent) => return Ok(None),
            Err(Miss::Failed(_)) => Ended::Failed,
            Err(Miss::Uncertain(_)) => Ended::Uncertain,
        };
        self.history.swaps.push(Swap { from: self.at, ended });
        match ended {
            Ended::Ok => self.at = next,
            Ended::Failed => {}
            // One of unknown outcome, this or an earlier one, may have taken effect by now.
            Ended::Uncertain | Ended::Refused => {
                self.at = chain_at(self.number, &mut self.client).await?;
            }
        }
        Ok(Some(ended))
    }
}

/// The last swap of a client's chain that took effect; 0 when none has.
async fn chain_at(number: usize, client: &mut Client) -> Result<u64> {
    let key = chain_key(number);
    let mut last = String::new();
    let mut looks = interval(LOOK_INTERVAL);
    let deadline = Instant::now() + LOOK_LIMIT;
    while Instant::now() < deadline {
        looks.tick().await;
        match client.call(&kv::Request::Get { key: &key }, Consistency::Linearizable).await {
            Ok(answer) => {
                return match kv::Response::unpack(&answer) {
                    Ok(kv::Response::Get(None)) => Ok(0),
                    Ok(kv::Response::Get(Some((value, _)))) => {
                        Ok(std::str::from_utf8(value)?.parse()?)
                    }
                    other => bail!("a get was answered {other:?}"),
                };
            }
            Err(miss) => last = format!("{miss:?}"),
        }
    }
    bail!("client {number} could not read its chain: {last}")
}

/// What the cluster holds of the writer with that number.
///
/// # Errors
/// When it cannot be read.
pub async fn look(number: usize, mut client: Client) -> Result<Found> {
    let mut found = Found { last_swap: chain_at(number, &mut client).await?, ..Found::default() };
    let (mut low, high) = (put_key(number, 0), format!("p{number:03}0").into_bytes());
    loop {
        let request = kv::Request::Range { low: &low, high: &high, limit: kv::RANGE_MAX };
        let answer = client.call(&request, Consistency::Linearizable).await;
        let answer = answer.map_err(|miss| anyhow::anyhow!("read what is left: {miss:?}"))?;
        let kv::Response::Range { entries, next } = kv::Response::unpack(&answer)? else {
            bail!("a range was answered with something else");
        };
        for entry in entries {
            let key = std::str::from_utf8(entry.key)?;
            let (_, put) = key.split_once('/').context("a key of a put")?;
            let put: u64 = put.parse()?;
            found.puts.insert(put, (entry.version, entry.value == put_value(number, put)));
        }
        match next {
            Some(next) => low = next.to_vec(),
            None => return Ok(found),
        }
    }
}
