//! A client of a catalog on a store of its own.

use catalog::Catalog;
use quorate_guest::testing::Harness;
use quorate_guest::{Body, Constraint, Failure, Operator, Reply, Value};

/// A harness that speaks in texts.
pub struct Client {
    pub harness: Harness<Catalog>,
}

impl Client {
    /// A client whose session is in the database `d`.
    pub fn new() -> Self {
        let mut client = Self { harness: Harness::new() };
        client.run("CREATE DATABASE d");
        client.run("USE d");
        client
    }

    /// A client of an empty catalog.
    pub fn empty() -> Self {
        Self { harness: Harness::new() }
    }

    /// Runs a statement that must succeed.
    pub fn run(&mut self, statement: &str) -> Reply {
        let reply = self.harness.text(statement);
        reply.unwrap_or_else(|failure| panic!("{statement}: {failure}"))
    }

    /// Runs a statement that must fail.
    pub fn fail(&mut self, statement: &str) -> Failure {
        match self.harness.text(statement) {
            Err(failure) => failure,
            Ok(reply) => panic!("{statement}: {reply:?}"),
        }
    }

    /// The code of a statement that must fail.
    pub fn code(&mut self, statement: &str) -> u16 {
        self.fail(statement).code
    }

    /// The rows of a statement, as text; null is `NULL`.
    pub fn rows(&mut self, statement: &str) -> Vec<Vec<String>> {
        match self.run(statement).body {
            Body::Rows(rows) => texts(&rows.rows),
            other => panic!("{statement}: {other:?}"),
        }
    }

    /// The names of the columns of a statement.
    pub fn columns(&mut self, statement: &str) -> Vec<String> {
        match self.run(statement).body {
            Body::Rows(rows) => rows.columns.into_iter().map(|column| column.name).collect(),
            other => panic!("{statement}: {other:?}"),
        }
    }

    /// One column of the rows of a statement.
    pub fn column(&mut self, statement: &str, column: usize) -> Vec<String> {
        self.rows(statement).into_iter().map(|mut row| row.swap_remove(column)).collect()
    }

    /// `SHOW CREATE TABLE`.
    pub fn create_table(&mut self, table: &str) -> String {
        self.rows(&format!("SHOW CREATE TABLE {table}"))[0][1].clone()
    }

    /// Rows of a relation, narrowed by equalities.
    pub fn select(&self, relation: &str, equal: &[(usize, &str)]) -> Vec<Vec<String>> {
        let constraints: Vec<Constraint> = equal
            .iter()
            .map(|(column, value)| Constraint {
                column: *column as u32,
                operator: Operator::Eq,
                value: (*value).into(),
            })
            .collect();
        texts(&self.harness.rows(relation, &constraints).unwrap())
    }

    /// Checks that the state does not contradict itself.
    pub fn check(&self) {
        assert_eq!(self.harness.check().unwrap(), []);
    }
}

fn texts(rows: &[Vec<Value>]) -> Vec<Vec<String>> {
    let text = |value: &Value| match value {
        Value::Null => "NULL".to_owned(),
        Value::Int(number) => number.to_string(),
        Value::UInt(number) => number.to_string(),
        Value::Text(text) => text.clone(),
        other => panic!("{other:?}"),
    };
    rows.iter().map(|row| row.iter().map(text).collect()).collect()
}
