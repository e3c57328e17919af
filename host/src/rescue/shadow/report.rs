//! What a shadow run found.

/// Remarks of one report; more are left out.
pub(super) const REMARKS_MAX: usize = 1000;

/// How much a remark weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// A fact.
    Info,
    /// Something to look at.
    Notice,
    /// Something that speaks against activating the module.
    Error,
}

impl Weight {
    /// As it is shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Info => "INFO",
            Self::Notice => "NOTICE",
            Self::Error => "ERROR",
        }
    }
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// How much it weighs.
    pub weight: Weight,
    /// What it is about.
    pub subject: String,
    /// What was found.
    pub finding: String,
}

/// All that was found, in the order in which it was looked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The remarks, a bounded number.
    pub remarks: Vec<Remark>,
}

impl Report {
    pub(super) fn info(&mut self, subject: &str, finding: impl Into<String>) {
        self.add(Weight::Info, subject, finding);
    }

    pub(super) fn notice(&mut self, subject: &str, finding: impl Into<String>) {
        self.add(Weight::Notice, subject, finding);
    }

    pub(super) fn error(&mut self, subject: &str, finding: impl Into<String>) {
        self.add(Weight::Error, subject, finding);
    }

    pub(super) fn add(&mut self, weight: Weight, subject: &str, finding: impl Into<String>) {
        if self.remarks.len() < REMARKS_MAX {
            let (subject, finding) = (subject.to_owned(), finding.into());
            self.remarks.push(Remark { weight, subject, finding });
        }
    }
}
