//! A client that speaks packets, so that tests can say what no driver would.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::BytesMut;
use mysql_common::constants::CapabilityFlags;
use mysql_common::io::ParseBuf;
use mysql_common::packets::{
    AuthPlugin, Column, CommonOkPacket, ErrPacket, HandshakePacket, HandshakeResponse, OkPacket,
    OkPacketDeserializer, ResultSetTerminator,
};
use mysql_common::proto::{Binary, MySerialize};
use mysql_common::row::{Row, RowDeserializer};
use mysql_common::value::{ServerSide, Value};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::mysql::packet::{Decoder, encode};

/// Longest wait for anything.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub const CAPABILITIES: CapabilityFlags = CapabilityFlags::CLIENT_PROTOCOL_41
    .union(CapabilityFlags::CLIENT_SECURE_CONNECTION)
    .union(CapabilityFlags::CLIENT_PLUGIN_AUTH)
    .union(CapabilityFlags::CLIENT_MULTI_STATEMENTS)
    .union(CapabilityFlags::CLIENT_MULTI_RESULTS)
    .union(CapabilityFlags::CLIENT_SESSION_TRACK)
    .union(CapabilityFlags::CLIENT_DEPRECATE_EOF);

pub struct Client {
    pub stream: TcpStream,
    pub capabilities: CapabilityFlags,
    decoder: Decoder,
    input: BytesMut,
    pub sequence: u8,
}

/// An answer to one statement.
#[derive(Debug)]
pub enum Answer {
    Done(OkPacket<'static>),
    Rows(Vec<Column>, Vec<Vec<Value>>),
    Failed(u16, String),
}

impl Client {
    /// Connects and reads the greeting.
    pub async fn greet(address: SocketAddr) -> (Self, Vec<u8>) {
        let mut client = Self {
            stream: TcpStream::connect(address).await.unwrap(),
            capabilities: CAPABILITIES,
            decoder: Decoder::default(),
            input: BytesMut::new(),
            sequence: 0,
        };
        let greeting = client.receive().await.unwrap();
        (client, greeting)
    }

    /// Enters as root.
    pub async fn enter(address: SocketAddr) -> Self {
        Self::enter_with(address, CAPABILITIES, None).await
    }

    pub async fn enter_with(
        address: SocketAddr,
        capabilities: CapabilityFlags,
        database: Option<&str>,
    ) -> Self {
        let (mut client, _) = Self::greet(address).await;
        client.capabilities = capabilities;
        client.introduce("root", b"", AuthPlugin::MysqlNativePassword, database).await;
        let answer = client.receive().await.unwrap();
        assert_eq!(answer[0], 0, "{answer:?}");
        client
    }

    /// Answers the greeting.
    pub async fn introduce(
        &mut self,
        user: &str,
        response: &[u8],
        plugin: AuthPlugin<'_>,
        database: Option<&str>,
    ) {
        let response = HandshakeResponse::new(
            Some(response),
            (8, 0, 33),
            Some(user.as_bytes()),
            database.map(str::as_bytes),
            Some(plugin),
            self.capabilities,
            None,
            1 << 24,
        );
        let mut payload = Vec::new();
        response.serialize(&mut payload);
        self.send(&payload).await;
    }

    /// Sends a payload of an exchange that is going on.
    pub async fn send(&mut self, payload: &[u8]) {
        let mut out = Vec::new();
        encode(&mut out, &mut self.sequence, |out| out.extend_from_slice(payload));
        self.stream.write_all(&out).await.unwrap();
    }

    /// Sends a command.
    pub async fn command(&mut self, code: u8, body: &[u8]) {
        self.sequence = 0;
        self.send(&[&[code], body].concat()).await;
    }

    /// The next payload; `None` at the end of the connection.
    pub async fn receive(&mut self) -> Option<Vec<u8>> {
        tokio::time::timeout(PATIENCE, self.read()).await.expect("an answer in time")
    }

    async fn read(&mut self) -> Option<Vec<u8>> {
        loop {
            let decoded = self.decoder.decode(&mut self.input, &mut self.sequence, 1 << 30);
            if let Some(payload) = decoded.expect("packets in order") {
                return Some(payload.to_vec());
            }
            if self.stream.read_buf(&mut self.input).await.unwrap_or(0) == 0 {
                return None;
            }
        }
    }

    /// What the server says before it closes.
    pub async fn farewell(&mut self) -> (u16, String) {
        self.sequence = 0;
        let answer = self.answer(false).await;
        assert_eq!(self.receive().await, None);
        match answer {
            Answer::Failed(code, message) => (code, message),
            other => panic!("no farewell: {other:?}"),
        }
    }

    pub async fn query(&mut self, sql: &str) -> Answer {
        self.command(3, sql.as_bytes()).await;
        self.answer(false).await
    }

    /// The cells of a query as text, NULL as `None`.
    pub async fn texts(&mut self, sql: &str) -> Vec<Vec<Option<String>>> {
        let Answer::Rows(_, rows) = self.query(sql).await else { panic!("no rows: {sql}") };
        let text = |value| match value {
            Value::NULL => None,
            Value::Bytes(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
            other => panic!("not text: {other:?}"),
        };
        rows.into_iter().map(|row| row.into_iter().map(text).collect()).collect()
    }

    pub async fn error(&mut self, sql: &str) -> (u16, String) {
        match self.query(sql).await {
            Answer::Failed(code, message) => (code, message),
            other => panic!("{sql}: {other:?}"),
        }
    }

    /// Prepares a statement: its number, and how many columns and parameters it has.
    pub async fn prepare(&mut self, sql: &str) -> Result<(u32, u16, u16), u16> {
        self.command(22, sql.as_bytes()).await;
        let payload = self.receive().await.unwrap();
        if payload[0] == 0xff {
            return Err(u16::from_le_bytes([payload[1], payload[2]]));
        }
        let mut rest = ParseBuf(&payload[1..]);
        let (id, columns, parameters) = (rest.eat_u32_le(), rest.eat_u16_le(), rest.eat_u16_le());
        for count in [parameters, columns] {
            for _ in 0..count {
                self.receive().await.unwrap();
            }
            if count > 0 && !self.ends_early() {
                assert_eq!(self.receive().await.unwrap()[0], 0xfe);
            }
        }
        Ok((id, columns, parameters))
    }

    fn ends_early(&self) -> bool {
        self.capabilities.contains(CapabilityFlags::CLIENT_DEPRECATE_EOF)
    }

    /// Reads an answer, whose rows may be binary.
    pub async fn answer(&mut self, binary: bool) -> Answer {
        let payload = self.receive().await.expect("an answer");
        match payload[0] {
            0x00 => {
                let ok: OkPacketDeserializer<'_, CommonOkPacket> =
                    ParseBuf(&payload).parse(self.capabilities).unwrap();
                Answer::Done(ok.into_inner().into_owned())
            }
            0xff => match ParseBuf(&payload).parse(self.capabilities).unwrap() {
                ErrPacket::Error(error) => {
                    Answer::Failed(error.error_code(), error.message_str().into_owned())
                }
                other => panic!("{other:?}"),
            },
            count => self.rows(count, binary).await,
        }
    }

    async fn rows(&mut self, count: u8, binary: bool) -> Answer {
        let mut columns = Vec::new();
        for _ in 0..count {
            let payload = self.receive().await.unwrap();
            columns.push(ParseBuf(&payload).parse::<Column>(()).unwrap());
        }
        if !self.ends_early() {
            assert_eq!(self.receive().await.unwrap()[0], 0xfe);
        }
        let shared: std::sync::Arc<[Column]> = columns.clone().into();
        let mut rows = Vec::new();
        loop {
            let payload = self.receive().await.unwrap();
            if payload[0] == 0xfe && payload.len() < 200 {
                if self.ends_early() {
                    let ok: OkPacketDeserializer<'_, ResultSetTerminator> =
                        ParseBuf(&payload).parse(self.capabilities).unwrap();
                    drop(ok);
                }
                return Answer::Rows(columns, rows);
            }
            let row: Row = match binary {
                true => {
                    let row: RowDeserializer<ServerSide, Binary> =
                        ParseBuf(&payload).parse(shared.clone()).unwrap();
                    row.into()
                }
                false => {
                    let row: RowDeserializer<ServerSide, mysql_common::proto::Text> =
                        ParseBuf(&payload).parse(shared.clone()).unwrap();
                    row.into()
                }
            };
            rows.push(row.unwrap());
        }
    }
}

/// The parts of a greeting that clients look at.
pub fn greeting(payload: &[u8]) -> HandshakePacket<'_> {
    ParseBuf(payload).parse(()).unwrap()
}
