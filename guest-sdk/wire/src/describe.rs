//! What a module says of itself.

use crate::pack::{DecodeError, Reader, Writer};
use crate::value::ColumnType;

/// What every host reads.
const VERSION: u8 = 1;
/// With statements and served schemas at the end, of which at least one is not empty.
const VERSION_2: u8 = 2;

/// A module's self-description, read when it is installed and never afterwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// Name, the part before `@`: lower-case letters, digits, `-` and `_`, at most 64.
    pub name: String,
    /// Semantic version, the part after `@`.
    pub version: String,
    /// Version of the stored state that this module writes.
    pub schema: u32,
    /// Versions of the stored state that `migrate` accepts, its own left out.
    pub migrates_from: Vec<u32>,
    /// Those of `migrates_from` whose rows this module reads as well as its own. From such a
    /// schema it is activated at once, and the migration runs step by step beside its work, until
    /// when rows of both schemas are in the state. From any other the migration is one whole with
    /// the activation, and everything waits for it.
    pub serves: Vec<u32>,
    /// Relations for SELECT.
    pub relations: Vec<Relation>,
    /// The kinds of statements that it understands, for people; the host does not read them.
    pub statements: Vec<StatementKind>,
    /// What it asks for; an activation may grant less.
    pub limits: Limits,
}

/// A kind of statement, as a person is told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementKind {
    /// How it is written, for example `GET key`.
    pub syntax: String,
    /// Whether it becomes a command in the log; else it is answered by the frontend that is asked.
    pub writes: bool,
}

impl StatementKind {
    /// A statement that is answered by the frontend that is asked.
    pub fn reads(syntax: &str) -> Self {
        Self { syntax: syntax.to_owned(), writes: false }
    }

    /// A statement that becomes a command in the log.
    pub fn writes(syntax: &str) -> Self {
        Self { syntax: syntax.to_owned(), writes: true }
    }
}

/// Bounds on one call of a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Fuel per command in `apply`.
    pub fuel: u64,
    /// Linear memory in bytes.
    pub memory_bytes: u64,
}

impl Default for Limits {
    /// 100 million units of fuel (some tens of milliseconds) and 64 MiB.
    fn default() -> Self {
        Self { fuel: 100_000_000, memory_bytes: 64 << 20 }
    }
}

/// A table that SELECT can read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relation {
    /// Database it appears in, for example `information_schema`.
    pub schema: String,
    /// Name in that database.
    pub name: String,
    /// Its columns.
    pub columns: Vec<RelationColumn>,
}

/// A column of a relation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelationColumn {
    /// Its name.
    pub name: String,
    /// What its values are.
    pub column_type: ColumnType,
    /// Whether `scan` makes use of constraints on it.
    pub constrainable: bool,
}

impl RelationColumn {
    /// A column on which `scan` ignores constraints.
    pub fn new(name: &str, column_type: ColumnType) -> Self {
        Self { name: name.to_owned(), column_type, constrainable: false }
    }

    /// A column on which `scan` makes use of constraints.
    pub fn constrainable(name: &str, column_type: ColumnType) -> Self {
        Self { name: name.to_owned(), column_type, constrainable: true }
    }
}

impl Description {
    /// A module that migrates from no other schema, names no relations and statements, and asks for
    /// the default limits.
    pub fn new(name: &str, version: &str, schema: u32) -> Self {
        Self {
            name: name.to_owned(),
            version: version.to_owned(),
            schema,
            migrates_from: Vec::new(),
            serves: Vec::new(),
            relations: Vec::new(),
            statements: Vec::new(),
            limits: Limits::default(),
        }
    }

    fn form(&self) -> u8 {
        let is_first = self.statements.is_empty() && self.serves.is_empty();
        if is_first { VERSION } else { VERSION_2 }
    }

    /// The packed document.
    pub fn pack(&self) -> Vec<u8> {
        let mut out = Writer::new();
        let form = self.form();
        out.byte(form);
        out.text(&self.name);
        out.text(&self.version);
        out.unsigned(u64::from(self.schema));
        out.count(self.migrates_from.len());
        for schema in &self.migrates_from {
            out.unsigned(u64::from(*schema));
        }
        out.unsigned(self.limits.fuel);
        out.unsigned(self.limits.memory_bytes);
        out.count(self.relations.len());
        for relation in &self.relations {
            out.text(&relation.schema);
            out.text(&relation.name);
            out.count(relation.columns.len());
            for column in &relation.columns {
                out.text(&column.name);
                column.column_type.encode(&mut out);
                out.flag(column.constrainable);
            }
        }
        if form == VERSION_2 {
            out.count(self.statements.len());
            for statement in &self.statements {
                out.text(&statement.syntax);
                out.flag(statement.writes);
            }
            out.count(self.serves.len());
            self.serves.iter().for_each(|schema| out.unsigned(u64::from(*schema)));
        }
        out.finish()
    }

    /// Reads a packed document.
    ///
    /// # Errors
    /// When it is cut short, has bytes left over, or has an unknown version or tag.
    pub fn unpack(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Reader::new(bytes);
        let form = input.byte()?;
        match form {
            VERSION | VERSION_2 => {}
            other => return Err(DecodeError::Version(other)),
        }
        let name = input.text()?;
        let version = input.text()?;
        let schema = input.unsigned32()?;
        let migrates_from = schemas(&mut input)?;
        let limits = Limits { fuel: input.unsigned()?, memory_bytes: input.unsigned()? };
        let mut relations = Vec::new();
        for _ in 0..input.count()? {
            relations.push(Relation::decode(&mut input)?);
        }
        let (mut statements, mut serves) = (Vec::new(), Vec::new());
        if form == VERSION_2 {
            for _ in 0..input.count()? {
                statements.push(StatementKind { syntax: input.text()?, writes: input.flag()? });
            }
            serves = schemas(&mut input)?;
        }
        input.finish()?;
        let description =
            Self { name, version, schema, migrates_from, serves, relations, statements, limits };
        // One form for one description.
        if description.form() == form { Ok(description) } else { Err(DecodeError::Range) }
    }
}

fn schemas(input: &mut Reader<'_>) -> Result<Vec<u32>, DecodeError> {
    let mut schemas = Vec::new();
    for _ in 0..input.count()? {
        schemas.push(input.unsigned32()?);
    }
    Ok(schemas)
}

impl Relation {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let schema = input.text()?;
        let name = input.text()?;
        let mut columns = Vec::new();
        for _ in 0..input.count()? {
            columns.push(RelationColumn {
                name: input.text()?,
                column_type: ColumnType::decode(input)?,
                constrainable: input.flag()?,
            });
        }
        Ok(Self { schema, name, columns })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn description() -> Description {
        Description {
            name: "kv".into(),
            version: "1.0.0".into(),
            schema: 2,
            migrates_from: vec![1],
            serves: vec![1],
            relations: vec![Relation {
                schema: "kv".into(),
                name: "pairs".into(),
                columns: vec![RelationColumn::constrainable("key", ColumnType::Bytes)],
            }],
            statements: vec![
                StatementKind::reads("GET key"),
                StatementKind::writes("PUT key value"),
            ],
            limits: Limits::default(),
        }
    }

    #[test]
    fn packing_and_unpacking_give_the_same_description() {
        let all = description();
        let (statements, serves) = (all.statements.clone(), all.serves.clone());
        for (statements, serves) in [
            (vec![], vec![]),
            (statements.clone(), vec![]),
            (vec![], serves.clone()),
            (statements, serves),
        ] {
            let description = Description { statements, serves, ..all.clone() };
            let packed = description.pack();
            for length in 0..packed.len() {
                assert!(Description::unpack(&packed[..length]).is_err());
            }
            assert_eq!(Description::unpack(&packed), Ok(description));
        }
    }

    #[test]
    fn a_description_without_either_keeps_the_bytes_that_older_hosts_read() {
        let packed = Description::new("m", "1.0.0", 1).pack();
        assert_eq!(packed, b"\x01\x01m\x051.0.0\x01\x00\x80\xc2\xd7\x2f\x80\x80\x80\x20\x00");
        let mut other_form = packed;
        other_form[0] = VERSION_2;
        other_form.extend([0, 0]);
        assert_eq!(Description::unpack(&other_form), Err(DecodeError::Range));
    }
}
