//! `tollgate spec`: the dialects, to read and to check.

use super::Exit;
use super::Outcome;
use super::dialects;
use crate::channel::builtin as profiles;
use crate::channel::profile_file;
use crate::iso8583::Dialect;
use crate::iso8583::ElementKind;
use crate::iso8583::ElementSpec;
use crate::iso8583::Encoding;
use crate::iso8583::Layout;
use crate::iso8583::Length;
use crate::iso8583::Role;
use crate::iso8583::Sensitivity;
use crate::iso8583::builtin;
use std::io;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  tollgate spec list
  tollgate spec show cn-pos
  tollgate spec check my-acquirer.toml          # exit code 3 and every breach, file:line: what";

/// Lists, shows and checks dialects and profiles
#[derive(Debug, clap::Args)]
#[command(before_help = EXAMPLES)]
pub(super) struct Spec {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// The built-in dialects and profiles
    List,
    /// The rows of a dialect
    Show {
        /// A built-in name or a file
        #[arg(value_name = "NAME|FILE")]
        dialect: String,
    },
    /// Every breach of a dialect or profile file
    Check {
        /// Files; one with a `dialect` key is a profile
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
}

impl Spec {
    pub(super) fn run(&self, out: &mut dyn Write) -> Outcome {
        match &self.command {
            Command::List => list(out)?,
            Command::Show { dialect } => show(&*dialects::find(dialect)?, out)?,
            Command::Check { files } => return check(files, out),
        }
        Ok(Exit::Ok)
    }
}

fn list(out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "dialects")?;
    for dialect in builtin::names().iter().filter_map(|name| builtin::dialect(name)) {
        writeln!(out, "  {:15} {} [oracle: {}]", dialect.name(), dialect.title(), dialect.oracle())?;
    }
    writeln!(out, "profiles")?;
    for profile in profiles::names().iter().filter_map(|name| profiles::profile(name)) {
        writeln!(out, "  {:15} {} [{}]", profile.name, profile.title, profile.dialect.name())?;
    }
    Ok(())
}

fn check(files: &[PathBuf], out: &mut dyn Write) -> Outcome {
    let mut exit = Exit::Ok;
    for path in files {
        let text = dialects::read(path)?;
        let is_profile = text.parse::<toml::Table>().is_ok_and(|table| {
            let extends = table.get("extends").and_then(toml::Value::as_str);
            table.contains_key("dialect") || extends.is_some_and(|name| profiles::names().contains(&name))
        });
        let checked = if is_profile { check_profile(path, &text) } else { check_dialect(path, &text) };
        match checked {
            Ok(summary) => writeln!(out, "{}: {summary}", path.display())?,
            Err(breaches) => {
                exit = Exit::Config;
                for breach in breaches {
                    writeln!(out, "{}", dialects::told(path, &breach))?;
                }
            }
        }
    }
    Ok(exit)
}

type Checked = Result<String, Vec<crate::iso8583::spec_file::Breach>>;

fn check_dialect(path: &Path, text: &str) -> Checked {
    let dialect = dialects::load(path, text)?;
    let (elements, codes) = (dialect.elements().len(), dialect.codes().count());
    Ok(format!("valid dialect, {elements} elements, {} kinds, {codes} codes", dialect.kinds().len()))
}

fn check_profile(path: &Path, text: &str) -> Checked {
    let profile = profile_file::load(&dialects::stem(path), text, &profiles::shelf())?;
    Ok(format!("valid profile of dialect {}", profile.dialect.name()))
}

fn show(dialect: &Dialect, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}: {}", dialect.name(), dialect.title())?;
    writeln!(out, "source: {}\noracle: {}", dialect.source(), dialect.oracle())?;
    writeln!(
        out,
        "MTI {:?}, bitmap {:?}, at most {}\n",
        dialect.mti_encoding(),
        dialect.bitmap_encoding(),
        dialect.bitmaps()
    )?;
    writeln!(out, "  DE  {:<14} {:<10} {:<9} name", "format", "written", "shown")?;
    for element in dialect.elements() {
        writeln!(
            out,
            "{:4}  {:<14} {:<10} {:<9} {}",
            element.number,
            format(element),
            written(element),
            shown(element),
            element.name
        )?;
        for part in &element.parts {
            writeln!(out, "{:43}{:>5} {}", "", part.id, part.name)?;
        }
    }
    writeln!(out, "\nroles")?;
    for role in Role::ALL {
        let Some(row) = dialect.role(*role) else { continue };
        let slice = row.slice.as_ref().map(|slice| format!("[{}..{}]", slice.start, slice.end)).unwrap_or_default();
        writeln!(out, "  {:26} DE {}{slice}", role.as_str(), row.de)?;
    }
    writeln!(out, "\nkinds")?;
    for row in dialect.kinds() {
        let when: Vec<String> = row.when.iter().map(|(role, text)| format!("{}={text}", role.as_str())).collect();
        writeln!(out, "  {:15} {}  {}", row.kind.name(), row.mti, when.join(" "))?;
    }
    writeln!(out, "\nresponse codes")?;
    for (wire, row) in dialect.codes() {
        let approves = if row.approves { ", approves" } else { "" };
        writeln!(out, "  {wire:5} {} {}{approves}", row.code, row.code.text())?;
    }
    Ok(())
}

/// As the standard writes it: `n 6`, `ans..25 LL`.
fn format(element: &ElementSpec) -> String {
    let kind = match element.kind {
        ElementKind::N => "n",
        ElementKind::A => "a",
        ElementKind::An => "an",
        ElementKind::Ans => "ans",
        ElementKind::B => "b",
        ElementKind::Z => "z",
        ElementKind::Xn => "x+n",
    };
    match element.length {
        Length::Fixed(units) => format!("{kind} {units}"),
        Length::Variable { max, digits, .. } => format!("{kind}..{max} {}", "L".repeat(digits.into())),
    }
}

fn written(element: &ElementSpec) -> &'static str {
    match element.encoding {
        Encoding::Ascii => "ASCII",
        Encoding::Ebcdic037 | Encoding::Ebcdic1047 => "EBCDIC",
        Encoding::Bcd => "BCD",
        Encoding::Binary => "binary",
        Encoding::Hex | Encoding::HexEbcdic => "hex",
        Encoding::Gbk => "GBK",
    }
}

fn shown(element: &ElementSpec) -> &'static str {
    match (element.sensitivity, &element.layout) {
        (Some(Sensitivity::Plain), _) => "clear",
        (Some(Sensitivity::Pan), _) => "6+4",
        (Some(_), Some(Layout::BerTlv)) => "by tag",
        (Some(_) | None, _) => "hidden",
    }
}
