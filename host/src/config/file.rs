//! `fe.conf`: lines of `key = value`.

use super::{ConfigError, Reach, Setting, Settings, keys};

/// Reads the text of a configuration file. Gives the settings, and a warning for each key that
/// this version does not know: files written for StarRocks have many.
///
/// Lines that are empty or begin with `#` count for nothing. Keys in upper case belong to the
/// start scripts and are passed over. A value may stand in double quotes. A key set twice takes the
/// last value.
///
/// # Errors
/// The first line that is not `key = value`.
pub fn parse(name: &str, text: &str) -> Result<(Settings, Vec<String>), ConfigError> {
    let mut settings = Settings::new();
    let mut warnings = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let source_name = format!("{name}:{}", number + 1);
        let wrong = |message: String| ConfigError { source_name: source_name.clone(), message };
        let (key, value) = line
            .split_once('=')
            .map(|(key, value)| (key.trim(), value.trim()))
            .filter(|(key, _)| is_key(key))
            .ok_or_else(|| wrong(format!("'{line}' is not of the form key = value")))?;
        let value = match value.strip_prefix('"') {
            None => value,
            Some(rest) => rest
                .strip_suffix('"')
                .ok_or_else(|| wrong(format!("the value of {key} has no closing quote")))?,
        };
        if key.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_') {
            continue;
        }
        match keys::lookup(key) {
            Some(known) if known.reach == Reach::Cluster => warnings.push(format!(
                "{source_name}: '{key}' holds for the whole cluster and is ignored here; set it \
                 with ADMIN SET FRONTEND CONFIG"
            )),
            Some(known) => {
                let value = value.to_owned();
                settings.insert(known.name.to_owned(), Setting { value, source_name });
            }
            None => warnings.push(format!("{source_name}: unknown key '{key}' is ignored")),
        }
    }
    Ok((settings, warnings))
}

fn is_key(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_line_that_is_no_setting_is_named_by_file_and_line() {
        for (text, line) in [("\nhttp_port", 2), ("= 3", 1), ("a b = 3", 1), ("x = \"y", 1)] {
            let error = parse("fe.conf", text).unwrap_err();
            assert_eq!(error.source_name, format!("fe.conf:{line}"), "{error}");
        }
    }

    #[test]
    fn an_unknown_key_warns_and_a_script_key_does_not() {
        let (settings, warnings) = parse("fe.conf", "JAVA_OPTS = -X=1\nsome_key = 1").unwrap();
        assert!(settings.is_empty());
        assert_eq!(warnings, ["fe.conf:2: unknown key 'some_key' is ignored"]);
    }

    #[test]
    fn a_key_of_the_cluster_warns_and_an_alias_counts_as_its_key() {
        let text = "allow_colocated = true\nmax_clock_delta_ms = 7";
        let (settings, warnings) = parse("fe.conf", text).unwrap();
        assert_eq!(settings.keys().collect::<Vec<_>>(), ["max_bdbje_clock_delta_ms"]);
        assert_eq!(warnings.len(), 1);
        assert!(warnings[0].contains("ADMIN SET FRONTEND CONFIG"), "{}", warnings[0]);
    }

    #[test]
    fn comments_blanks_quotes_and_repetitions_are_as_in_starrocks() {
        let text = "# ports\n\n http_port=8031\nhttp_port = \"8032\"\r\nmeta_dir = a = b";
        let (settings, warnings) = parse("fe.conf", text).unwrap();
        assert!(warnings.is_empty());
        assert_eq!(settings["http_port"].value, "8032");
        assert_eq!(settings["http_port"].source_name, "fe.conf:4");
        assert_eq!(settings["meta_dir"].value, "a = b");
    }
}
