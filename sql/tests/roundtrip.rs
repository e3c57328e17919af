//! What is printed parses back to what was printed, for statements made at random.

use quorate_sql::{CatalogStatement, catalog_statement};

mod generator;

use generator::Generator;

/// Statements made per seed.
const STATEMENTS: usize = 4_000;

fn check(statement: &CatalogStatement) {
    let printed = statement.to_string();
    match catalog_statement(&printed) {
        Ok(parsed) => assert_eq!(&parsed, statement, "printed:\n{printed}"),
        Err(error) => panic!("{error}\n{statement:?}\nprinted:\n{printed}"),
    }
}

#[test]
fn statements_read_back_as_printed() {
    for seed in [1, 0xC0FFEE, 0x5EED_5EED] {
        let mut generator = Generator::new(seed);
        for _ in 0..STATEMENTS {
            check(&generator.statement());
        }
    }
}

#[test]
fn statements_read_back_behind_comments_and_before_semicolons() {
    let mut generator = Generator::new(7);
    for _ in 0..STATEMENTS / 10 {
        let statement = generator.statement();
        let dressed = format!("-- hi\n/* there */ {statement} # end\n;; -- really");
        assert_eq!(catalog_statement(&dressed).as_ref(), Ok(&statement), "{dressed}");
    }
}
