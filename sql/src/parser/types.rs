//! Column types and the bounds of their arguments.

use crate::ast::{DataType, StructField};
use crate::parser::{Parser, Result};
use crate::token::TokenKind;

/// `DECIMAL` without arguments.
const DECIMAL_DEFAULT: (u8, u8) = (10, 0);

/// `CHAR` and `VARCHAR` without a length, as StarRocks completes them.
const LENGTH_DEFAULT: u32 = 1;

/// Most digits of the fraction in `DATETIME(n)`. The digits are accepted and not kept.
const FRACTION_DIGITS_MAX: u64 = 6;

impl Parser<'_> {
    /// A column type.
    pub(super) fn data_type(&mut self) -> Result<DataType> {
        self.nested(Self::data_type_unchecked)
    }

    fn data_type_unchecked(&mut self) -> Result<DataType> {
        let at = self.at;
        let token = self.peek(0);
        if token.kind != TokenKind::Word {
            return Err(self.expected("a column type"));
        }
        let word = self.source(token).to_ascii_uppercase();
        self.advance();
        let data_type = match word.as_str() {
            "BOOLEAN" | "BOOL" => DataType::Boolean,
            "TINYINT" => self.with_width(DataType::TinyInt)?,
            "SMALLINT" => self.with_width(DataType::SmallInt)?,
            "INT" | "INTEGER" => self.with_width(DataType::Int)?,
            "BIGINT" => self.with_width(DataType::BigInt)?,
            "LARGEINT" => self.with_width(DataType::LargeInt)?,
            "FLOAT" => self.with_digits(DataType::Float)?,
            "DOUBLE" => {
                self.accept("PRECISION");
                self.with_digits(DataType::Double)?
            }
            "DECIMAL" | "NUMERIC" | "DECIMAL128" => {
                self.decimal(DataType::DECIMAL_PRECISION_MAX)?
            }
            "DECIMAL32" => self.decimal(9)?,
            "DECIMAL64" => self.decimal(18)?,
            "DECIMALV2" => self.decimal(27)?,
            "DATE" => DataType::Date,
            "DATETIME" | "TIMESTAMP" => self.datetime()?,
            "CHAR" => DataType::Char(self.length("CHAR", DataType::CHAR_BYTES_MAX)?),
            "VARCHAR" => DataType::Varchar(self.length("VARCHAR", DataType::VARCHAR_BYTES_MAX)?),
            "STRING" | "TEXT" => self.with_width(DataType::STRING)?,
            "BINARY" | "VARBINARY" => self.binary()?,
            "JSON" => DataType::Json,
            "HLL" => DataType::Hll,
            "BITMAP" => DataType::Bitmap,
            "PERCENTILE" => DataType::Percentile,
            "ARRAY" => DataType::Array(Box::new(self.element()?)),
            "MAP" => self.map()?,
            "STRUCT" => self.structure()?,
            _ => {
                self.at = at;
                return Err(self.expected("a column type"));
            }
        };
        if self.is_word(0, "UNSIGNED") {
            return Err(self.unsupported("UNSIGNED"));
        }
        Ok(data_type)
    }

    /// Skips a display width: `(11)`.
    fn with_width(&mut self, data_type: DataType) -> Result<DataType> {
        if self.accept_symbol("(") {
            self.integer("a display width")?;
            self.expect_symbol(")")?;
        }
        Ok(data_type)
    }

    /// Skips a display width and digits: `(7, 2)`.
    fn with_digits(&mut self, data_type: DataType) -> Result<DataType> {
        if self.accept_symbol("(") {
            self.integer("a display width")?;
            if self.accept_symbol(",") {
                self.integer("a number of digits")?;
            }
            self.expect_symbol(")")?;
        }
        Ok(data_type)
    }

    fn decimal(&mut self, precision_max: u8) -> Result<DataType> {
        let (mut precision, mut scale) = DECIMAL_DEFAULT;
        precision = precision.min(precision_max);
        if self.accept_symbol("(") {
            let at = self.at;
            let value = self.integer("a precision")?;
            precision = match u8::try_from(value) {
                Ok(value) if (1..=precision_max).contains(&value) => value,
                _ => {
                    let reason =
                        format!("DECIMAL precision must be 1 to {precision_max}, not {value}");
                    return Err(self.invalid(at, reason));
                }
            };
            if self.accept_symbol(",") {
                let at = self.at;
                let value = self.integer("a scale")?;
                scale = match u8::try_from(value) {
                    Ok(value) if value <= precision => value,
                    _ => {
                        let reason = format!("DECIMAL scale must be 0 to {precision}, not {value}");
                        return Err(self.invalid(at, reason));
                    }
                };
            }
            self.expect_symbol(")")?;
        }
        Ok(DataType::Decimal { precision, scale })
    }

    fn datetime(&mut self) -> Result<DataType> {
        if self.accept_symbol("(") {
            let at = self.at;
            let digits = self.integer("a number of digits")?;
            if digits > FRACTION_DIGITS_MAX {
                let reason =
                    format!("DATETIME digits must be 0 to {FRACTION_DIGITS_MAX}, not {digits}");
                return Err(self.invalid(at, reason));
            }
            self.expect_symbol(")")?;
        }
        Ok(DataType::Datetime)
    }

    /// `[(length)]`, `(*)` being the longest.
    fn length(&mut self, name: &str, max: u32) -> Result<u32> {
        if !self.accept_symbol("(") {
            return Ok(LENGTH_DEFAULT);
        }
        let at = self.at;
        let length = if name == "VARCHAR" && self.accept_symbol("*") {
            max
        } else {
            let value = self.integer("a length")?;
            match u32::try_from(value) {
                Ok(value) if (1..=max).contains(&value) => value,
                _ => {
                    let reason = format!("{name} length must be 1 to {max}, not {value}");
                    return Err(self.invalid(at, reason));
                }
            }
        };
        self.expect_symbol(")")?;
        Ok(length)
    }

    fn binary(&mut self) -> Result<DataType> {
        if !self.is_symbol(0, "(") {
            return Ok(DataType::Varbinary(None));
        }
        let length = self.length("VARBINARY", DataType::VARCHAR_BYTES_MAX)?;
        Ok(DataType::Varbinary(Some(length)))
    }

    /// `<type>`.
    fn element(&mut self) -> Result<DataType> {
        self.expect_symbol("<")?;
        let element = self.data_type()?;
        self.expect_symbol(">")?;
        Ok(element)
    }

    fn map(&mut self) -> Result<DataType> {
        self.expect_symbol("<")?;
        let at = self.at;
        let key = self.data_type()?;
        if !key.may_be_key() {
            return Err(self.invalid(at, format!("{} cannot be the key of a MAP", key.data_type())));
        }
        self.expect_symbol(",")?;
        let value = self.data_type()?;
        self.expect_symbol(">")?;
        Ok(DataType::Map(Box::new(key), Box::new(value)))
    }

    fn structure(&mut self) -> Result<DataType> {
        self.expect_symbol("<")?;
        let fields = self.list(|p| {
            let name = p.identifier("a field name")?;
            p.accept_symbol(":");
            Ok(StructField { name, data_type: p.data_type()? })
        })?;
        self.expect_symbol(">")?;
        Ok(DataType::Struct(fields))
    }
}
