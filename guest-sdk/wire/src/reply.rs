//! What a statement answers.

use crate::pack::{DecodeError, Reader, Writer};
use crate::value::{Column, Value};

const VERSION: u8 = 1;

/// The answer to one statement or command.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// The answer itself.
    pub body: Body,
    /// Changes to the session, taken over by the host after the reply.
    pub session: Vec<SessionChange>,
    /// What `SHOW WARNINGS` will list.
    pub warnings: Vec<Warning>,
}

/// The three forms of an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// Done, without rows.
    Done {
        /// Rows changed, where that means something.
        affected: u64,
    },
    /// A result set.
    Rows(Rows),
    /// Bytes that only client and module understand.
    Bytes(Vec<u8>),
}

/// A result set.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Rows {
    /// The columns.
    pub columns: Vec<Column>,
    /// The rows, each as long as `columns`.
    pub rows: Vec<Vec<Value>>,
}

/// A change to the session of the client that is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionChange {
    /// The current database.
    Database(String),
}

/// A line of `SHOW WARNINGS`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// MySQL error number.
    pub code: u16,
    /// The text.
    pub message: String,
}

impl Reply {
    /// Done, with no rows.
    pub fn done() -> Self {
        Self::affected(0)
    }

    /// Done, with a number of changed rows.
    pub fn affected(affected: u64) -> Self {
        Self::from(Body::Done { affected })
    }

    /// A result set.
    pub fn rows(columns: Vec<Column>, rows: Vec<Vec<Value>>) -> Self {
        Self::from(Body::Rows(Rows { columns, rows }))
    }

    /// Opaque bytes.
    pub fn bytes(bytes: Vec<u8>) -> Self {
        Self::from(Body::Bytes(bytes))
    }

    /// Adds a session change.
    pub fn with_session(mut self, change: SessionChange) -> Self {
        self.session.push(change);
        self
    }

    /// Adds a warning.
    pub fn with_warning(mut self, code: u16, message: impl Into<String>) -> Self {
        self.warnings.push(Warning { code, message: message.into() });
        self
    }

    /// The packed document.
    pub fn pack(&self) -> Vec<u8> {
        let mut out = Writer::new();
        out.byte(VERSION);
        match &self.body {
            Body::Done { affected } => {
                out.byte(0);
                out.unsigned(*affected);
            }
            Body::Rows(rows) => {
                out.byte(1);
                rows.encode(&mut out);
            }
            Body::Bytes(bytes) => {
                out.byte(2);
                out.bytes(bytes);
            }
        }
        out.count(self.session.len());
        for change in &self.session {
            match change {
                SessionChange::Database(name) => {
                    out.byte(0);
                    out.text(name);
                }
            }
        }
        out.count(self.warnings.len());
        for warning in &self.warnings {
            out.unsigned(u64::from(warning.code));
            out.text(&warning.message);
        }
        out.finish()
    }

    /// Reads a packed document.
    ///
    /// # Errors
    /// When it is cut short, has bytes left over, or has an unknown version or tag.
    pub fn unpack(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Reader::new(bytes);
        match input.byte()? {
            VERSION => {}
            other => return Err(DecodeError::Version(other)),
        }
        let body = match input.byte()? {
            0 => Body::Done { affected: input.unsigned()? },
            1 => Body::Rows(Rows::decode(&mut input)?),
            2 => Body::Bytes(input.bytes()?.to_vec()),
            _ => return Err(DecodeError::Range),
        };
        let mut session = Vec::new();
        for _ in 0..input.count()? {
            session.push(match input.byte()? {
                0 => SessionChange::Database(input.text()?),
                _ => return Err(DecodeError::Range),
            });
        }
        let mut warnings = Vec::new();
        for _ in 0..input.count()? {
            let code = u16::try_from(input.unsigned()?).map_err(|_| DecodeError::Range)?;
            warnings.push(Warning { code, message: input.text()? });
        }
        input.finish()?;
        Ok(Self { body, session, warnings })
    }
}

impl From<Body> for Reply {
    fn from(body: Body) -> Self {
        Self { body, session: Vec::new(), warnings: Vec::new() }
    }
}

impl Rows {
    /// Packs columns and rows.
    pub fn encode(&self, out: &mut Writer) {
        out.count(self.columns.len());
        for column in &self.columns {
            column.encode(out);
        }
        out.count(self.rows.len());
        for row in &self.rows {
            debug_assert_eq!(row.len(), self.columns.len(), "a row must fill its columns");
            for value in row {
                value.encode(out);
            }
        }
    }

    /// Reads columns and rows.
    ///
    /// # Errors
    /// When the bytes are cut short or hold an unknown tag.
    pub fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut columns = Vec::new();
        for _ in 0..input.count()? {
            columns.push(Column::decode(input)?);
        }
        let count = input.unsigned()?;
        if columns.is_empty() && count > 0 {
            return Err(DecodeError::Range);
        }
        let mut rows = Vec::new();
        for _ in 0..count {
            let mut row = Vec::with_capacity(columns.len());
            for _ in &columns {
                row.push(Value::decode(input)?);
            }
            rows.push(row);
        }
        Ok(Self { columns, rows })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::ColumnType;

    fn reply() -> Reply {
        Reply::rows(
            vec![Column::text("name"), Column::new("n", ColumnType::Int)],
            vec![vec!["a".into(), Value::Int(-7)], vec![Value::Null, Value::Double(1.5)]],
        )
        .with_session(SessionChange::Database("d1".into()))
        .with_warning(1064, "odd")
    }

    #[test]
    fn a_cut_or_padded_reply_is_refused() {
        let packed = reply().pack();
        for length in 0..packed.len() {
            assert!(Reply::unpack(&packed[..length]).is_err());
        }
        let mut padded = packed;
        padded.push(0);
        assert_eq!(Reply::unpack(&padded), Err(DecodeError::Trailing));
    }

    #[test]
    fn rows_without_columns_cannot_spin_the_reader() {
        let mut out = Writer::new();
        out.count(0);
        out.unsigned(u64::MAX);
        let packed = out.finish();
        assert_eq!(Rows::decode(&mut Reader::new(&packed)), Err(DecodeError::Range));
    }

    #[test]
    fn packing_and_unpacking_give_the_same_reply() {
        assert_eq!(Reply::unpack(&reply().pack()), Ok(reply()));
    }

    #[test]
    fn the_packed_bytes_never_change() {
        let packed = Reply::affected(300).with_warning(1, "w").pack();
        assert_eq!(packed, [1, 0, 0xac, 2, 0, 1, 1, 1, b'w']);
    }
}
