//! Parts of a proof, run one after the other, and what they come to.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::ValueEnum;

use super::report::{Row, table};

/// The parts that were asked for; all of them if none was.
pub fn chosen<P: ValueEnum + Copy>(only: &[P]) -> Vec<P> {
    if only.is_empty() { P::value_variants().to_vec() } else { only.to_vec() }
}

/// Runs parts, each in a folder of its own within `dir`. What cannot be measured is a line that
/// falls short.
///
/// # Errors
/// When there is no room for a folder.
pub fn rows<P: ValueEnum + Copy>(
    parts: &[P],
    dir: &Path,
    keep: bool,
    run: impl Fn(P, &Path) -> Result<Vec<Row>>,
) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for part in parts {
        let name = part.to_possible_value().map_or_else(String::new, |it| it.get_name().to_owned());
        let mut made = tempfile::Builder::new();
        let made = made.prefix("quorate-prove").disable_cleanup(keep).tempdir_in(dir);
        let dir = made.with_context(|| format!("make a folder in {}", dir.display()))?;
        eprintln!("{name} in {}", dir.path().display());
        rows.extend(match catch_unwind(AssertUnwindSafe(|| run(*part, dir.path()))) {
            Ok(Ok(rows)) => rows,
            Ok(Err(error)) => vec![Row::failed(&name, format!("{error:#}"))],
            Err(_panic) => vec![Row::failed(&name, "see above")],
        });
    }
    Ok(rows)
}

/// Prints the report, and tells whether every promise is kept.
pub fn concluded(rows: &[Row]) -> ExitCode {
    print!("{}", table(rows));
    if rows.iter().all(|row| row.ok) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
