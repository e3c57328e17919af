//! What crosses the border when a relation is scanned or a state is checked.

use crate::pack::{DecodeError, Reader, Writer};
use crate::value::Value;

/// A condition that every wanted row meets; all constraints of a scan hold together.
#[derive(Debug, Clone, PartialEq)]
pub struct Constraint {
    /// Position of the column in the relation.
    pub column: u32,
    /// How the column compares with the value.
    pub operator: Operator,
    /// What it is compared with; never NULL.
    pub value: Value,
}

/// Comparison of a column with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// Equal; text compares without regard to ASCII case.
    Eq,
    /// Less.
    Lt,
    /// Less or equal.
    Le,
    /// Greater.
    Gt,
    /// Greater or equal.
    Ge,
}

impl Constraint {
    /// Packs a list of constraints.
    pub fn pack(constraints: &[Self]) -> Vec<u8> {
        let mut out = Writer::new();
        out.count(constraints.len());
        for constraint in constraints {
            out.unsigned(u64::from(constraint.column));
            out.byte(constraint.operator as u8);
            constraint.value.encode(&mut out);
        }
        out.finish()
    }

    /// Reads a packed list.
    ///
    /// # Errors
    /// When it is cut short or holds an unknown tag.
    pub fn unpack(bytes: &[u8]) -> Result<Vec<Self>, DecodeError> {
        const ALL: [Operator; 5] =
            [Operator::Eq, Operator::Lt, Operator::Le, Operator::Gt, Operator::Ge];
        let mut input = Reader::new(bytes);
        let mut constraints = Vec::new();
        for _ in 0..input.count()? {
            let column = input.unsigned32()?;
            let tag = usize::from(input.byte()?);
            let operator = *ALL.get(tag).ok_or(DecodeError::Range)?;
            constraints.push(Self { column, operator, value: Value::decode(&mut input)? });
        }
        input.finish()?;
        Ok(constraints)
    }
}

/// Something wrong in a stored state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The key it is about; may be empty.
    pub key: Vec<u8>,
    /// What is wrong, for a person.
    pub note: String,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing.
    Notice,
    /// The state contradicts itself; an activation is rejected.
    Error,
}

impl Finding {
    /// Packs a list of findings.
    pub fn pack(findings: &[Self]) -> Vec<u8> {
        let mut out = Writer::new();
        out.count(findings.len());
        for finding in findings {
            out.byte(finding.severity as u8);
            out.bytes(&finding.key);
            out.text(&finding.note);
        }
        out.finish()
    }

    /// Reads a packed list.
    ///
    /// # Errors
    /// When it is cut short or holds an unknown tag.
    pub fn unpack(bytes: &[u8]) -> Result<Vec<Self>, DecodeError> {
        let mut input = Reader::new(bytes);
        let mut findings = Vec::new();
        for _ in 0..input.count()? {
            let severity = match input.byte()? {
                0 => Severity::Notice,
                1 => Severity::Error,
                _ => return Err(DecodeError::Range),
            };
            findings.push(Self { severity, key: input.bytes()?.to_vec(), note: input.text()? });
        }
        input.finish()?;
        Ok(findings)
    }
}
