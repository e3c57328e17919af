//! The values that a client binds to a prepared statement.

use std::borrow::Cow;
use std::collections::BTreeMap;

use mysql_common::constants::{ColumnFlags, ColumnType as WireType, StmtExecuteParamFlags};
use mysql_common::io::ParseBuf;
use mysql_common::packets::NullBitmap;
use mysql_common::value::{BinValue, ClientSide, Value as WireValue, ValueDeserializer};
use quorate_wire::{Failure, Value};

use crate::mysql::command::malformed;
use crate::session::PACKET_BYTES_MAX;

/// What a connection remembers of a prepared statement between two executions.
#[derive(Debug, Default)]
pub(super) struct Binding {
    parameters: u16,
    /// As of the last execution: later ones may leave them out.
    types: Vec<(WireType, bool)>,
    /// Values that came in pieces.
    long: BTreeMap<u16, Vec<u8>>,
    long_bytes: usize,
    /// Why a piece was not kept. Told at the execution, as a piece has no answer.
    refused: Option<Failure>,
}

impl Binding {
    pub fn new(parameters: u16) -> Self {
        Self { parameters, ..Self::default() }
    }

    /// Adds a piece to a value.
    pub fn append(&mut self, parameter: u16, piece: &[u8]) {
        self.long_bytes = self.long_bytes.saturating_add(piece.len());
        if parameter >= self.parameters {
            self.refused = Some(Failure::new(1210, "HY000", "Incorrect arguments to long data"));
        } else if self.long_bytes > PACKET_BYTES_MAX {
            self.long.clear();
            let reason = "Parameter of prepared statement is longer than max_allowed_packet bytes";
            self.refused = Some(Failure::new(1153, "08S01", reason));
        } else {
            self.long.entry(parameter).or_default().extend_from_slice(piece);
        }
    }

    /// Forgets the pieces.
    pub fn reset(&mut self) {
        *self = Self {
            parameters: self.parameters,
            types: std::mem::take(&mut self.types),
            ..Self::default()
        };
    }

    /// Reads what follows the statement's number in COM_STMT_EXECUTE, and forgets the pieces.
    ///
    /// # Errors
    /// 1835 for a malformed payload, or why a piece was not kept.
    pub fn values(&mut self, payload: &[u8]) -> Result<Vec<Value>, Failure> {
        let long = std::mem::take(&mut self.long);
        let refused = self.refused.take();
        self.long_bytes = 0;
        if let Some(refused) = refused {
            return Err(refused);
        }
        let mut input = ParseBuf(payload);
        // Flags for cursors, which are answered with all rows, and an iteration count of 1.
        if !input.checked_skip(1 + 4) {
            return Err(malformed());
        }
        if self.parameters == 0 {
            return Ok(Vec::new());
        }
        let count = usize::from(self.parameters);
        let nulls: NullBitmap<ClientSide, Cow<'_, [u8]>> =
            input.parse(count).map_err(|_| malformed())?;
        if input.checked_eat_u8().ok_or_else(malformed)? == 1 {
            self.types =
                (0..count).map(|_| parameter_type(&mut input)).collect::<Result<_, _>>()?;
        }
        if self.types.len() != count {
            return Err(malformed());
        }
        let values = (0..self.parameters).zip(&self.types).map(|(index, (kind, unsigned))| {
            if let Some(bytes) = long.get(&index) {
                return Ok(text_or_bytes(bytes.clone()));
            }
            if nulls.is_null(usize::from(index)) {
                return Ok(Value::Null);
            }
            value(*kind, *unsigned, &mut input)
        });
        values.collect()
    }
}

fn parameter_type(input: &mut ParseBuf<'_>) -> Result<(WireType, bool), Failure> {
    let (Some(kind), Some(flags)) = (input.checked_eat_u8(), input.checked_eat_u8()) else {
        return Err(malformed());
    };
    let kind = WireType::try_from(kind).map_err(|_| malformed())?;
    // The library panics on these: they never travel.
    let internal = matches!(
        kind,
        WireType::MYSQL_TYPE_TIMESTAMP2
            | WireType::MYSQL_TYPE_DATETIME2
            | WireType::MYSQL_TYPE_TIME2
            | WireType::MYSQL_TYPE_TYPED_ARRAY
            | WireType::MYSQL_TYPE_UNKNOWN
    );
    match internal {
        true => Err(malformed()),
        false => Ok((kind, flags & StmtExecuteParamFlags::UNSIGNED.bits() != 0)),
    }
}

fn value(kind: WireType, unsigned: bool, input: &mut ParseBuf<'_>) -> Result<Value, Failure> {
    let flags = if unsigned { ColumnFlags::UNSIGNED_FLAG } else { ColumnFlags::empty() };
    let found: ValueDeserializer<BinValue> = input.parse((kind, flags)).map_err(|_| malformed())?;
    Ok(match found.0 {
        WireValue::NULL => Value::Null,
        WireValue::Int(value) => Value::Int(value),
        WireValue::UInt(value) => Value::UInt(value),
        // By way of its digits, so that 1.1 stays 1.1.
        WireValue::Float(value) => {
            Value::Double(value.to_string().parse().unwrap_or_else(|_| f64::from(value)))
        }
        WireValue::Double(value) => Value::Double(value),
        WireValue::Bytes(bytes) => text_or_bytes(bytes),
        WireValue::Date(year, month, day, hour, minute, second, micros) => {
            let mut text = format!("{year:04}-{month:02}-{day:02}");
            if kind != WireType::MYSQL_TYPE_DATE {
                text.push_str(&format!(" {hour:02}:{minute:02}:{second:02}{}", fraction(micros)));
            }
            Value::Text(text)
        }
        WireValue::Time(negative, days, hours, minutes, seconds, micros) => {
            let sign = if negative { "-" } else { "" };
            let hours = u64::from(days) * 24 + u64::from(hours);
            let fraction = fraction(micros);
            Value::Text(format!("{sign}{hours:02}:{minutes:02}:{seconds:02}{fraction}"))
        }
    })
}

fn fraction(micros: u32) -> String {
    if micros == 0 { String::new() } else { format!(".{micros:06}") }
}

fn text_or_bytes(bytes: Vec<u8>) -> Value {
    match String::from_utf8(bytes) {
        Ok(text) => Value::Text(text),
        Err(error) => Value::Bytes(error.into_bytes()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use mysql_common::packets::ComStmtExecuteRequestBuilder;
    use mysql_common::proto::MySerialize;
    use proptest::prelude::*;

    use super::*;

    /// As a client sends them, behind command and statement number.
    fn payload(values: &[WireValue]) -> Vec<u8> {
        let mut out = Vec::new();
        ComStmtExecuteRequestBuilder::new(1).build(values).0.serialize(&mut out);
        out.split_off(5)
    }

    #[test]
    fn types_are_needed_once() {
        let mut binding = Binding::new(1);
        let mut untyped = payload(&[WireValue::Int(7)]);
        untyped.drain(7..9);
        untyped[6] = 0;
        assert_eq!(binding.values(&untyped).unwrap_err().code, 1835);
        assert_eq!(binding.values(&payload(&[WireValue::Int(6)])).unwrap(), [Value::Int(6)]);
        assert_eq!(binding.values(&untyped).unwrap(), [Value::Int(7)]);
    }

    #[test]
    fn pieces_past_the_limit_fail_the_execution_and_not_the_one_after() {
        let mut binding = Binding::new(1);
        let sent = payload(&[WireValue::Int(1)]);
        binding.append(0, &vec![0; PACKET_BYTES_MAX]);
        binding.append(0, b"x");
        assert_eq!(binding.values(&sent).unwrap_err().code, 1153);
        binding.append(1, b"x");
        assert_eq!(binding.values(&sent).unwrap_err().code, 1210);
        assert_eq!(binding.values(&sent).unwrap(), [Value::Int(1)]);
    }

    #[test]
    fn values_of_every_kind_are_read() {
        let sent = [
            WireValue::NULL,
            WireValue::Int(-1),
            WireValue::UInt(u64::MAX),
            WireValue::Float(1.1),
            WireValue::Double(-0.5),
            WireValue::Bytes("größe".into()),
            WireValue::Bytes(vec![0xff]),
            WireValue::Date(2024, 2, 29, 1, 2, 3, 4),
            WireValue::Time(true, 1, 2, 3, 4, 0),
        ];
        let expected = [
            Value::Null,
            Value::Int(-1),
            Value::UInt(u64::MAX),
            Value::Double(1.1),
            Value::Double(-0.5),
            Value::from("größe"),
            Value::Bytes(vec![0xff]),
            Value::from("2024-02-29 01:02:03.000004"),
            Value::from("-26:03:04"),
        ];
        let mut binding = Binding::new(9);
        assert_eq!(binding.values(&payload(&sent)).unwrap(), expected);
    }

    #[test]
    fn pieces_become_the_value() {
        let mut binding = Binding::new(2);
        binding.append(1, b"ab");
        binding.append(1, b"c");
        let sent = payload(&[WireValue::Int(1), WireValue::NULL]);
        assert_eq!(binding.values(&sent).unwrap(), [Value::Int(1), Value::from("abc")]);
        assert_eq!(binding.values(&sent).unwrap(), [Value::Int(1), Value::Null]);
    }

    proptest! {
        #[test]
        fn hostile_values_never_panic(
            parameters in 0_u16..20,
            payload in prop::collection::vec(any::<u8>(), 0..200),
            kind in any::<u8>(),
        ) {
            let mut binding = Binding::new(parameters);
            let _values = binding.values(&payload);
            let mut typed = vec![0, 1, 0, 0, 0, 0, 1, kind, 0];
            typed.extend(payload);
            let _values = Binding::new(1).values(&typed);
        }
    }
}
