//! The condition of `SHOW .. WHERE`. How it is decided: [`Filter::matches`].

use crate::ast::Literal;

/// A condition on one row of a `SHOW`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filter {
    /// `left operator right`.
    Compare {
        /// The left side.
        left: Operand,
        /// The operator.
        comparison: Comparison,
        /// The right side.
        right: Operand,
    },
    /// `operand [NOT] LIKE pattern`.
    Like {
        /// What is matched.
        operand: Operand,
        /// `NOT LIKE`.
        negated: bool,
        /// The pattern, wildcards and escapes as written.
        pattern: String,
    },
    /// `operand [NOT] IN (..)`.
    In {
        /// What is looked for.
        operand: Operand,
        /// `NOT IN`.
        negated: bool,
        /// Where it is looked for.
        list: Vec<Literal>,
    },
    /// `operand IS [NOT] NULL`.
    IsNull {
        /// What is asked about.
        operand: Operand,
        /// `IS NOT NULL`.
        negated: bool,
    },
    /// All of these, two at least.
    And(Vec<Filter>),
    /// One of these, two at least.
    Or(Vec<Filter>),
    /// Not this.
    Not(Box<Filter>),
}

/// A side of a comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operand {
    /// A column of the answer; of `a.b` only `b` counts.
    Column(String),
    /// A constant.
    Literal(Literal),
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// `=`.
    Equal,
    /// `<>` or `!=`.
    NotEqual,
    /// `<`.
    Less,
    /// `<=`.
    LessOrEqual,
    /// `>`.
    Greater,
    /// `>=`.
    GreaterOrEqual,
}

impl Comparison {
    /// All of them.
    pub const ALL: [Comparison; 6] = [
        Comparison::Equal,
        Comparison::NotEqual,
        Comparison::Less,
        Comparison::LessOrEqual,
        Comparison::Greater,
        Comparison::GreaterOrEqual,
    ];

    /// The operator as printed.
    pub fn symbol(self) -> &'static str {
        match self {
            Comparison::Equal => "=",
            Comparison::NotEqual => "<>",
            Comparison::Less => "<",
            Comparison::LessOrEqual => "<=",
            Comparison::Greater => ">",
            Comparison::GreaterOrEqual => ">=",
        }
    }
}
