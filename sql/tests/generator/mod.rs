//! Makes catalog statements at random, the same ones for the same seed.

mod show;
mod table;

use quorate_sql::{
    AlterDatabase, AlterView, CatalogStatement, CreateDatabase, CreateView, DatabaseAction,
    DatabaseName, DropDatabase, DropView, Literal, ObjectName, Property, ViewColumn,
};

/// Names that are easy to get wrong.
const NAMES: &[&str] = &[
    "t",
    "select",
    "a b",
    "größe",
    "`",
    "1",
    "2024_sales",
    "comment",
    "KEY",
    "x.y",
    "表",
    "$a",
    "first",
    "interval",
    "a\"b'c",
    "0x1f",
    "partition",
    "a--b",
    "/*",
    ";",
    "null",
];

/// Text that is easy to get wrong.
const TEXTS: &[&str] = &[
    "",
    "plain",
    "it's",
    "say \"hi\"",
    "a\\b",
    "50\\%",
    "\n\r\t\0\u{1a}",
    "/* no */",
    "-- no",
    ";",
    "`",
    "größe",
    "\\",
    "'",
    "?",
    "/*! x */",
    "\u{1F600}",
];

/// A source of random statements.
pub struct Generator {
    state: u64,
}

impl Generator {
    /// Starts with `seed`, which must not be 0.
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// Marsaglia's xorshift.
    fn next(&mut self) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state
    }

    fn below(&mut self, bound: u64) -> u64 {
        (self.next() >> 8) % bound
    }

    fn flag(&mut self) -> bool {
        self.below(2) == 0
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        let index = self.below(from.len() as u64) as usize;
        from[index].clone()
    }

    fn maybe<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.flag().then(|| make(self))
    }

    /// `least` to 3 items.
    fn many<T>(&mut self, least: u64, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let count = least + self.below(4 - least);
        (0..count).map(|_| make(self)).collect()
    }

    fn name(&mut self) -> String {
        self.pick(NAMES).to_owned()
    }

    fn names(&mut self) -> Vec<String> {
        self.many(1, Self::name)
    }

    fn text(&mut self) -> String {
        let (first, second) = (self.pick(TEXTS), self.pick(TEXTS));
        format!("{first}{second}")
    }

    fn object(&mut self) -> ObjectName {
        let database = self.maybe(Self::name);
        let catalog = database.is_some().then(|| self.maybe(Self::name)).flatten();
        ObjectName { catalog, database, name: self.name() }
    }

    fn database(&mut self) -> DatabaseName {
        DatabaseName { catalog: self.maybe(Self::name), name: self.name() }
    }

    fn properties(&mut self, least: u64) -> Vec<Property> {
        self.many(least, |g| Property { key: g.text(), value: g.text() })
    }

    fn literal(&mut self) -> Literal {
        match self.below(4) {
            0 => Literal::String(self.text()),
            1 => Literal::Number(self.pick(&["0", "-1", "1.5", ".5", "-2e10", "0xFF"]).to_owned()),
            2 => Literal::Boolean(self.flag()),
            _ => Literal::Null,
        }
    }

    /// Any statement.
    pub fn statement(&mut self) -> CatalogStatement {
        match self.below(16) {
            0 => CatalogStatement::CreateDatabase(CreateDatabase {
                name: self.database(),
                if_not_exists: self.flag(),
                charset: self.maybe(Self::name),
                collation: self.maybe(Self::name),
                properties: self.properties(0),
            }),
            1 => CatalogStatement::DropDatabase(DropDatabase {
                name: self.database(),
                if_exists: self.flag(),
                force: self.flag(),
            }),
            2 => CatalogStatement::AlterDatabase(AlterDatabase {
                name: self.database(),
                action: match self.flag() {
                    true => DatabaseAction::Rename(self.name()),
                    false => DatabaseAction::SetProperties(self.properties(1)),
                },
            }),
            3 => CatalogStatement::Use(self.database()),
            4 => CatalogStatement::SetCatalog(self.name()),
            5..=6 => self.view(),
            7..=12 => self.table_statement(),
            _ => self.show_statement(),
        }
    }

    fn view(&mut self) -> CatalogStatement {
        match self.below(3) {
            0 => CatalogStatement::CreateView(Box::new(CreateView {
                name: self.object(),
                or_replace: self.flag(),
                if_not_exists: self.flag(),
                columns: self.view_columns(),
                comment: self.maybe(Self::text),
                query: self.query(),
            })),
            1 => CatalogStatement::AlterView(AlterView {
                name: self.object(),
                columns: self.view_columns(),
                query: self.query(),
            }),
            _ => {
                CatalogStatement::DropView(DropView { name: self.object(), if_exists: self.flag() })
            }
        }
    }

    fn view_columns(&mut self) -> Vec<ViewColumn> {
        self.many(0, |g| ViewColumn { name: g.name(), comment: g.maybe(Self::text) })
    }

    fn query(&mut self) -> String {
        let queries = ["SELECT 1", "with a as (select ';')\n  table a", "(SELECT -- x\n\t'\\'')"];
        self.pick(&queries).to_owned()
    }
}
