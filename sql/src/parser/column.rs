//! Column and index definitions.

use crate::ast::{AggregateType, ColumnDef, DefaultValue, IndexDef};
use crate::parser::{Parser, Result};

/// Words that end the expression of a generated column, outside of parentheses.
const EXPRESSION_ENDS: &[&str] = &["COMMENT", "DEFAULT", "FIRST", "AFTER"];

impl Parser<'_> {
    /// `name type [attributes]`. Attributes may come in any order, each once.
    pub(super) fn column_def(&mut self) -> Result<ColumnDef> {
        let mut column = ColumnDef {
            name: self.identifier("a column name")?,
            data_type: self.data_type()?,
            charset: None,
            key: false,
            aggregate: None,
            nullable: None,
            auto_increment: false,
            default: None,
            generated: None,
            comment: None,
        };
        // Every attribute is accepted once, so this ends.
        while self.column_attribute(&mut column)? {}
        Ok(column)
    }

    fn column_attribute(&mut self, column: &mut ColumnDef) -> Result<bool> {
        let at = self.at;
        let name;
        let fresh;
        if self.accept("KEY") {
            name = "KEY";
            fresh = !std::mem::replace(&mut column.key, true);
        } else if self.accept("NULL") {
            name = "NULL";
            fresh = column.nullable.replace(true).is_none();
        } else if self.accept("NOT") {
            self.expect("NULL")?;
            name = "NULL";
            fresh = column.nullable.replace(false).is_none();
        } else if self.accept("AUTO_INCREMENT") {
            name = "AUTO_INCREMENT";
            fresh = !std::mem::replace(&mut column.auto_increment, true);
        } else if self.accept("DEFAULT") {
            name = "DEFAULT";
            fresh = column.default.replace(self.default_value()?).is_none();
        } else if self.accept("AS") {
            name = "AS";
            let expression = self.raw("an expression", EXPRESSION_ENDS)?;
            fresh = column.generated.replace(expression).is_none();
        } else if let Some(comment) = self.comment()? {
            name = "COMMENT";
            fresh = column.comment.replace(comment).is_none();
        } else if let Some(aggregate) = self.aggregate_type() {
            name = "the aggregate function";
            fresh = column.aggregate.replace(aggregate).is_none();
        } else if let Some(charset) = self.charset()? {
            name = "CHARACTER SET";
            fresh = column.charset.replace(charset).is_none();
        } else if self.are_words(&["PRIMARY", "KEY"]) || self.is_word(0, "UNIQUE") {
            return Err(self.expected("the key behind the list of columns, as in PRIMARY KEY (id)"));
        } else {
            return Ok(false);
        }
        if !fresh {
            self.at = at;
            return Err(self.twice(name));
        }
        Ok(true)
    }

    fn aggregate_type(&mut self) -> Option<AggregateType> {
        AggregateType::ALL.into_iter().find(|aggregate| self.accept(aggregate.keyword()))
    }

    fn default_value(&mut self) -> Result<DefaultValue> {
        if self.accept_any(&["CURRENT_TIMESTAMP", "NOW"]).is_some() {
            let mut digits = None;
            if self.accept_symbol("(") {
                if !self.is_symbol(0, ")") {
                    digits = Some(self.integer32("a number of digits")?);
                }
                self.expect_symbol(")")?;
            }
            return Ok(DefaultValue::CurrentTimestamp(digits));
        }
        if self.accept_symbol("(") {
            let from = self.at;
            self.raw_list("an expression")?;
            let expression = self.text_since(from, "an expression")?;
            self.expect_symbol(")")?;
            return Ok(DefaultValue::Expression(expression));
        }
        // `uuid()` and its like are calls without parentheses around them.
        if self.is_symbol(1, "(") {
            return Ok(DefaultValue::Expression(self.call_text()?));
        }
        Ok(DefaultValue::Literal(self.literal("a default value")?))
    }

    /// `name (arguments)` as text.
    fn call_text(&mut self) -> Result<String> {
        let from = self.at;
        self.identifier("a function")?;
        self.expect_symbol("(")?;
        if !self.is_symbol(0, ")") {
            self.raw_list("an argument")?;
        }
        self.expect_symbol(")")?;
        self.text_since(from, "a function")
    }

    /// Skips expressions with commas between them.
    fn raw_list(&mut self, what: &str) -> Result<()> {
        self.list(|p| p.raw(what, &[])).map(|_| ())
    }

    /// `INDEX name (columns) [USING type] [(properties)] [COMMENT '..']`, from `name` on.
    pub(super) fn index_def(&mut self) -> Result<IndexDef> {
        let name = self.identifier("an index name")?;
        let columns = self.identifiers("a column name")?;
        let using = match self.accept("USING") {
            true => Some(self.identifier("an index type")?),
            false => None,
        };
        let properties = match self.is_symbol(0, "(") {
            true => self.properties()?,
            false => Vec::new(),
        };
        Ok(IndexDef { name, columns, using, properties, comment: self.comment()? })
    }
}
