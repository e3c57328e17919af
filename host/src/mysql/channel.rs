//! A socket that carries payloads.
//!
//! Reading is cancel-safe: what has arrived stays in the channel. Writing collects in a buffer.

use std::io;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::mysql::packet::{Decoder, Violation, encode};

/// How much is collected before it is sent.
const OUTPUT_BYTES: usize = 64 << 10;

/// Room made for each read.
const INPUT_BYTES: usize = 8 << 10;

/// A buffer that one large payload made larger than this is given back after it.
const KEPT_BYTES_MAX: usize = 1 << 20;

/// How long a connection that the server closes may go on sending into the void. Without it the
/// last error would be lost: closing on unread bytes resets the connection.
const LINGER: Duration = Duration::from_secs(2);

/// Why a channel is of no use any more.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    /// The client has gone.
    #[error("the client closed the connection")]
    Closed,
    /// The client took nothing for too long.
    #[error("the client took no data for {0:?}")]
    SlowReader(Duration),
    /// The client does not keep to the protocol.
    #[error(transparent)]
    Violation(#[from] Violation),
    /// The socket failed.
    #[error(transparent)]
    Socket(#[from] io::Error),
}

pub(super) struct Channel {
    stream: TcpStream,
    decoder: Decoder,
    input: BytesMut,
    output: Vec<u8>,
    sequence: u8,
    payload_bytes_max: usize,
    write_timeout: Duration,
}

impl Channel {
    pub fn new(stream: TcpStream, payload_bytes_max: usize, write_timeout: Duration) -> Self {
        Self {
            stream,
            decoder: Decoder::default(),
            input: BytesMut::new(),
            output: Vec::new(),
            sequence: 0,
            payload_bytes_max,
            write_timeout,
        }
    }

    /// Sets the longest payload to be accepted.
    pub fn allow(&mut self, payload_bytes_max: usize) {
        self.payload_bytes_max = payload_bytes_max;
    }

    /// Sets how long the client may take for 64 KiB.
    pub fn expect_progress(&mut self, write_timeout: Duration) {
        self.write_timeout = write_timeout;
    }

    /// Begins an exchange: sequence numbers start at 0 again.
    pub fn restart(&mut self) {
        self.sequence = 0;
    }

    /// The next payload.
    pub async fn read(&mut self) -> Result<BytesMut, Broken> {
        // Every round takes bytes from the client; what it sends is bounded by the decoder.
        loop {
            let payload =
                self.decoder.decode(&mut self.input, &mut self.sequence, self.payload_bytes_max)?;
            if let Some(payload) = payload {
                return Ok(payload);
            }
            self.input.reserve(INPUT_BYTES);
            if self.stream.read_buf(&mut self.input).await? == 0 {
                return Err(Broken::Closed);
            }
        }
    }

    /// Adds a payload to what will be sent.
    pub fn put(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        encode(&mut self.output, &mut self.sequence, write);
    }

    /// Sends what has collected, if that is much.
    pub async fn flush_if_full(&mut self) -> Result<(), Broken> {
        match self.output.len() >= OUTPUT_BYTES {
            true => self.flush().await,
            false => Ok(()),
        }
    }

    /// Sends what has collected.
    pub async fn flush(&mut self) -> Result<(), Broken> {
        for piece in self.output.chunks(OUTPUT_BYTES) {
            let written = tokio::time::timeout(self.write_timeout, self.stream.write_all(piece));
            written.await.map_err(|_| Broken::SlowReader(self.write_timeout))??;
        }
        self.output.clear();
        self.output.shrink_to(KEPT_BYTES_MAX);
        Ok(())
    }

    /// Returns when the client has closed the connection; never while it has more to say.
    pub async fn gone(&self) {
        if self.input.is_empty() && !matches!(self.stream.peek(&mut [0]).await, Ok(1..)) {
            return;
        }
        std::future::pending().await
    }

    /// Sends what has collected and closes, so that the client can still read it.
    pub async fn close(mut self) {
        let farewell = async {
            self.flush().await?;
            self.stream.shutdown().await?;
            let mut void = [0; INPUT_BYTES];
            while self.stream.read(&mut void).await? > 0 {}
            Ok::<(), Broken>(())
        };
        match tokio::time::timeout(LINGER, farewell).await {
            Ok(Ok(())) | Err(_) => {}
            Ok(Err(error)) => tracing::debug!(%error, "a client did not wait for the end"),
        }
    }
}
