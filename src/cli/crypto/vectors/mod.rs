//! `tollgate crypto vectors`: runs a file of known answers through the calculators.

mod cards;
mod case;
mod dukpts;
mod frames;
mod keys;
mod macs;
mod pins;

use super::super::Exit;
use super::super::Failure;
use super::super::Outcome;
use super::written;
use crate::model::MacAlgorithm;
use case::Case;
use case::Held;
use case::Wrong;
use serde_json::Value;
use serde_json::json;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::io::Write;
use std::path::PathBuf;

/// A bigger file is no vector file.
const CAP: u64 = 256 << 20;
/// More failures than these are counted, not shown.
const SHOWN: usize = 40;

const FORMAT: &str = "\
A file is a JSON object with a list `vectors`; each has an `id` of its own, `op`, `algorithm`, `inputs` and `expected`. Every value
under `expected` is compared and every input read: a vector with one that nobody compares or reads does not hold. An
unknown `op` is a failure. Results are counted by algorithm and operation.
Nothing of the inputs or of the results is printed. Exit code 0 only if every vector holds.";

/// Runs known answers through the calculators, and counts them by algorithm and operation
#[derive(Debug, clap::Args)]
#[command(after_help = FORMAT)]
pub(super) struct Vectors {
    /// The file.
    file: PathBuf,
    /// JSON instead of lines
    #[arg(long)]
    json: bool,
    /// Name the vectors that hold too
    #[arg(long)]
    each: bool,
}

/// How the vectors of one algorithm and operation did.
#[derive(Clone, Copy, Default)]
struct Count {
    held: usize,
    failed: usize,
}

/// By algorithm and operation.
type Counts<'a> = BTreeMap<(&'a str, &'a str), Count>;

/// What a file's vectors came to.
#[derive(Default)]
struct Results<'a> {
    counts: Counts<'a>,
    /// Identifier and operation.
    held: Vec<(&'a str, &'a str)>,
    /// Identifier, operation, reason.
    failures: Vec<(&'a str, &'a str, String)>,
}

impl Vectors {
    pub(super) fn run(&self, out: &mut dyn Write) -> Outcome {
        let mut content = Vec::new();
        let read = fs::File::open(&self.file).and_then(|file| file.take(CAP + 1).read_to_end(&mut content));
        read.map_err(|error| Failure::new(Exit::Usage, format!("{}: {}", self.file.display(), error.kind())))?;
        if content.len() as u64 > CAP {
            return Err(Failure::new(Exit::Usage, "the file is too long for a vector file"));
        }
        let set: Value = serde_json::from_slice(&content)
            .map_err(|error| Failure::new(Exit::Usage, format!("not JSON: line {}", error.line())))?;
        let vectors = set.get("vectors").and_then(Value::as_array);
        let vectors = vectors.filter(|vectors| !vectors.is_empty());
        let vectors = vectors.ok_or_else(|| Failure::new(Exit::Usage, "no vectors in this file"))?;
        if set.get("count").and_then(Value::as_u64).is_some_and(|count| count != vectors.len() as u64) {
            return Err(Failure::new(Exit::No, "the file has not as many vectors as it says: cut off?"));
        }
        let mut results = Results::default();
        let mut ids = BTreeSet::new();
        for vector in vectors {
            let word = |name: &str| vector.get(name).and_then(Value::as_str).unwrap_or("?");
            let known = vector.get("id").and_then(Value::as_str).is_some_and(|id| !id.is_empty() && ids.insert(id));
            let held = if known { holds(vector, word("op"), word("algorithm")) } else { Err(Wrong::Id) };
            let count = results.counts.entry((word("algorithm"), word("op"))).or_default();
            match held {
                Ok(()) => {
                    count.held += 1;
                    results.held.push((word("id"), word("op")));
                }
                Err(wrong) => {
                    count.failed += 1;
                    results.failures.push((word("id"), word("op"), wrong.to_string()));
                }
            }
        }
        if self.json {
            writeln!(out, "{}", written::json(&self.report(&results)))?;
        } else {
            self.write_lines(&results, out)?;
        }
        Ok(if results.failures.is_empty() { Exit::Ok } else { Exit::No })
    }

    fn report(&self, results: &Results<'_>) -> Value {
        let failed: Vec<Value> =
            results.failures.iter().map(|(id, op, why)| json!({ "id": id, "op": op, "why": why })).collect();
        let mut all = json!({
            "file": self.file.display().to_string(),
            "vectors": results.held.len() + results.failures.len(),
            "held": results.held.len(),
            "failed": results.failures.len(),
            "algorithms": summed(&results.counts, |(algorithm, _)| algorithm),
            "operations": summed(&results.counts, |(_, op)| op),
            "failures": failed,
        });
        if self.each {
            all["holding"] = results.held.iter().map(|(id, op)| json!({ "id": id, "op": op })).collect();
        }
        all
    }

    /// Words of the file are written so that none steers a terminal.
    fn write_lines(&self, results: &Results<'_>, out: &mut dyn Write) -> std::io::Result<()> {
        for ((algorithm, op), count) in &results.counts {
            let failed = if count.failed == 0 { String::new() } else { format!("  {} failed", count.failed) };
            writeln!(out, "{:6} {}{failed}", count.held, written::line(&format!("{algorithm}: {op}")))?;
        }
        for (id, op) in results.held.iter().filter(|_| self.each) {
            writeln!(out, "held: {}", written::line(&format!("{id} ({op})")))?;
        }
        for (id, op, why) in results.failures.iter().take(SHOWN) {
            writeln!(out, "failed: {}", written::line(&format!("{id} ({op}): {why}")))?;
        }
        let (held, failed) = (results.held.len(), results.failures.len());
        if failed > SHOWN {
            writeln!(out, "failed: {} more", failed - SHOWN)?;
        }
        writeln!(out, "{:6} in all, {held} held, {failed} failed", held + failed)
    }
}

/// The counts of everything that has the same word.
fn summed<'a>(counts: &Counts<'a>, word: impl Fn((&'a str, &'a str)) -> &'a str) -> Value {
    let mut sums = BTreeMap::<&str, Count>::new();
    for (place, count) in counts {
        let sum = sums.entry(word(*place)).or_default();
        sum.held += count.held;
        sum.failed += count.failed;
    }
    let told = sums.iter().map(|(word, sum)| ((*word).to_owned(), json!({ "held": sum.held, "failed": sum.failed })));
    Value::Object(told.collect())
}

/// Whether one vector holds, and all of it.
fn holds(vector: &Value, op: &str, algorithm: &str) -> Held {
    let case = Case::new(vector);
    let aes = algorithm.contains("AES");
    run(&case, op, aes)?;
    case.all_compared()?;
    case.all_read()
}

/// The table of operations.
fn run(case: &Case<'_>, op: &str, aes: bool) -> Held {
    match op {
        "kcv" => keys::check_value(case, aes),
        "key.combine_components" => keys::components(case),
        "key.export_ecb" => keys::export_ecb(case),
        "tr31.wrap" => keys::wrap_block(case),
        "tr31.unwrap" => keys::open_block(case),
        "tr31.unwrap_and_rewrap" => keys::open_and_write_block(case),
        "lmk.encrypt_key" => keys::under_lmk(case),
        "mac.alg1.des" | "mac.alg1.tdes" => macs::standard(case, MacAlgorithm::Alg1),
        "mac.alg3" => macs::standard(case, MacAlgorithm::X919),
        "mac.cmac.aes" => macs::standard(case, MacAlgorithm::AesCmac),
        "mac.cmac.tdes" => macs::standard(case, MacAlgorithm::TdesCmac),
        "mac.cup_ecb" => macs::union_pay(case, MacAlgorithm::CupEcb, "block", "mac_df64_ascii"),
        "mac.cup_cbc" => macs::union_pay_chained(case),
        "mac.verify" => macs::verify(case),
        "pinblock.encode" => pins::encode(case),
        "pinblock.decode" => pins::decode(case),
        "pinblock.encipher_fmt4" => pins::encipher_format_4(case),
        "pin.translate" => pins::translate(case),
        "pin.translate_dukpt" => pins::translate_dukpt(case),
        "pin.translate_policy" => pins::translate_policy(case),
        "pin.pvv" => pins::pvv(case),
        "pin.verify_pvv" => pins::verify_pvv(case),
        "pin.verify_pvv_block" => pins::verify_pvv_block(case),
        "pin.ibm_offset" => pins::ibm_offset(case),
        "pin.verify_ibm" => pins::verify_ibm(case),
        "cvv.generate" => cards::cvv(case),
        "cvv.verify" => cards::verify_cvv(case),
        "cvc3.generate" => cards::cvc3(case),
        other => run_derived(case, other),
    }
}

/// The rest of the table: keys of one transaction.
fn run_derived(case: &Case<'_>, op: &str) -> Held {
    match op {
        "dukpt.tdes.derive_ik" => dukpts::tdes_initial(case),
        "dukpt.tdes.derive_txn_key" => dukpts::tdes_transaction_key(case),
        "dukpt.tdes.encrypt_pinblock" => dukpts::tdes_pin(case),
        "dukpt.tdes.mac" => dukpts::tdes_mac(case, MacAlgorithm::X919),
        "dukpt.tdes.cmac" => dukpts::tdes_mac(case, MacAlgorithm::TdesCmac),
        "dukpt.tdes.encrypt_data" => dukpts::tdes_data(case),
        "dukpt.tdes.ksn_valid" | "dukpt.aes.ksn_valid" => dukpts::ksn_valid(case),
        "dukpt.aes.derive_ik" => dukpts::aes_initial(case),
        "dukpt.aes.derive_txn_key" => dukpts::aes_transaction_key(case),
        "dukpt.aes.derive_working_keys" => dukpts::aes_working_keys(case),
        "dukpt.aes.encrypt_pin" => dukpts::aes_pin(case),
        "dukpt.aes.cmac" => dukpts::aes_mac(case),
        "dukpt.aes.hmac" => dukpts::aes_hmac(case),
        "dukpt.aes.encrypt_data" => dukpts::aes_data(case),
        "dukpt.aes.derive_update_key" => dukpts::aes_update_key(case),
        "emv.derive_icc_mk" => cards::master_key(case),
        "emv.derive_sk_tree" => cards::tree(case),
        "emv.generate_ac" => cards::generate(case),
        "emv.verify_ac" => cards::verify(case),
        "emv.generate_arpc" => cards::answer(case),
        "emv.cvn" => cards::by_version(case),
        "emv.script_mac" => cards::script_mac(case),
        "payshield.frame" => frames::frame(case),
        _ => Err(Wrong::Operation),
    }
}
