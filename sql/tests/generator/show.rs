//! `SHOW`, `DESC` and conditions.

use quorate_sql::{
    AlterJob, CatalogStatement, Comparison, CreateOf, Describe, Filter, Limit, Operand, OrderBy,
    Show, ShowColumns, ShowFilter, ShowTables, Tail,
};

use super::Generator;

/// How deep conditions nest.
const DEPTH: u64 = 3;

impl Generator {
    pub(super) fn show_statement(&mut self) -> CatalogStatement {
        if self.below(8) == 0 {
            let all = self.flag();
            let column = if all { None } else { self.maybe(Self::name) };
            return CatalogStatement::Describe(Describe { table: self.object(), all, column });
        }
        CatalogStatement::Show(match self.below(9) {
            0 => Show::Catalogs(self.show_filter()),
            1 => Show::Databases { catalog: self.maybe(Self::name), filter: self.show_filter() },
            2 => Show::Tables(ShowTables {
                full: self.flag(),
                database: self.maybe(Self::database),
                filter: self.show_filter(),
            }),
            3 => Show::TableStatus {
                database: self.maybe(Self::database),
                filter: self.show_filter(),
            },
            4 => Show::Columns(ShowColumns {
                full: self.flag(),
                table: self.object(),
                filter: self.show_filter(),
            }),
            5 => Show::Create(match self.below(3) {
                0 => CreateOf::Table(self.object()),
                1 => CreateOf::View(self.object()),
                _ => CreateOf::Database(self.database()),
            }),
            6 => Show::Index { table: self.object(), filter: self.show_filter() },
            7 => {
                Show::Partitions { temporary: self.flag(), table: self.object(), tail: self.tail() }
            }
            _ => Show::Alter {
                job: self.pick(&AlterJob::ALL),
                database: self.maybe(Self::database),
                tail: self.tail(),
            },
        })
    }

    fn show_filter(&mut self) -> Option<ShowFilter> {
        match self.below(3) {
            0 => None,
            1 => Some(ShowFilter::Like(self.text())),
            _ => Some(ShowFilter::Where(self.filter(DEPTH))),
        }
    }

    fn tail(&mut self) -> Tail {
        Tail {
            filter: self.maybe(|g| g.filter(DEPTH)),
            order_by: self.many(0, |g| OrderBy { column: g.name(), descending: g.flag() }),
            limit: self.maybe(|g| Limit { offset: g.below(3), count: g.below(100) }),
        }
    }

    fn operand(&mut self) -> Operand {
        match self.flag() {
            true => Operand::Column(self.name()),
            false => Operand::Literal(self.literal()),
        }
    }

    fn filter(&mut self, depth: u64) -> Filter {
        match self.below(if depth == 0 { 4 } else { 7 }) {
            0 => Filter::Compare {
                left: self.operand(),
                comparison: self.pick(&Comparison::ALL),
                right: self.operand(),
            },
            1 => {
                Filter::Like { operand: self.operand(), negated: self.flag(), pattern: self.text() }
            }
            2 => Filter::In {
                operand: self.operand(),
                negated: self.flag(),
                list: self.many(1, Self::literal),
            },
            3 => Filter::IsNull { operand: self.operand(), negated: self.flag() },
            4 => Filter::And(self.many(2, |g| g.filter(depth - 1))),
            5 => Filter::Or(self.many(2, |g| g.filter(depth - 1))),
            _ => Filter::Not(Box::new(self.filter(depth - 1))),
        }
    }
}
