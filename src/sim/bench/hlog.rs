//! A run's latencies as files that HdrHistogram's tools read: `latency.hgrm` and `intervals.hlog`.

use super::tally::{Interval, SLOWEST};
use hdrhistogram::Histogram;
use std::fmt::Write;

/// Steps each time the distance to 100 % halves.
const TICKS: u32 = 5;
/// Significant digits of every histogram here.
const DIGITS: u32 = 3;
/// Of [`DIGITS`]: 2^11 is the first power of two from 2 x 10^3.
const HALF_MAGNITUDE: u32 = 10;
/// Cookies of HdrHistogram's encoding, version 2, plain and compressed.
const PLAIN: u32 = 0x1c84_9313;
const COMPRESSED: u32 = 0x1c84_9314;

/// The percentile distribution, in milliseconds.
#[must_use]
pub fn hgrm(histogram: &Histogram<u64>) -> String {
    let mut text = format!("{:>12} {:>14} {:>10} {:>14}\n\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)");
    let mut count = 0;
    for step in histogram.iter_quantiles(TICKS) {
        count += step.count_since_last_iteration();
        let (value, quantile) = (step.value_iterated_to() as f64 / 1e3, step.quantile_iterated_to());
        // Writing to a string does not fail.
        let _ = match quantile < 1.0 {
            true => writeln!(text, "{value:>12.3} {quantile:>2.12} {count:>10} {:>14.2}", 1.0 / (1.0 - quantile)),
            false => writeln!(text, "{value:>12.3} {quantile:>2.12} {count:>10}"),
        };
    }
    let (mean, deviation) = (histogram.mean() / 1e3, histogram.stdev() / 1e3);
    let _ = writeln!(text, "#[Mean    = {mean:>12.3}, StdDeviation   = {deviation:>12.3}]");
    let _ =
        writeln!(text, "#[Max     = {:>12.3}, Total count    = {:>12}]", histogram.max() as f64 / 1e3, histogram.len());
    let _ = writeln!(text, "#[Buckets = {:>12}, SubBuckets     = {:>12}]", 20, 2 << HALF_MAGNITUDE);
    text
}

/// The seconds of a run, one histogram each, in microseconds. `began` is in seconds since 1970.
#[must_use]
pub fn hlog(intervals: &[Interval], began: f64) -> String {
    let mut text = format!(
        "#[Latency from schedule in microseconds, logged by tollgate {}]\n#[Histogram log format version 1.3]\n\
         #[StartTime: {began:.3} (seconds since epoch)]\n\
         \"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n",
        env!("CARGO_PKG_VERSION")
    );
    for (second, interval) in intervals.iter().enumerate() {
        let max = interval.spectrum.last().map_or(0.0, |(value, _)| *value as f64);
        // Writing to a string does not fail.
        let _ = writeln!(text, "{second}.000,1.000,{max:.3},{}", base64(&compressed(&encoded(&interval.spectrum))));
    }
    text
}

/// A spectrum in HdrHistogram's encoding, version 2: counts by index, runs of zeros as negative numbers.
fn encoded(spectrum: &[(u64, u64)]) -> Vec<u8> {
    let mut counts = Vec::new();
    let mut next = 0;
    for (value, count) in spectrum {
        let index = index(*value);
        if index > next {
            zigzag(-i64::try_from(index - next).unwrap_or(i64::MAX), &mut counts);
        }
        zigzag(i64::try_from(*count).unwrap_or(i64::MAX), &mut counts);
        next = index + 1;
    }
    let mut bytes = Vec::with_capacity(40 + counts.len());
    bytes.extend(PLAIN.to_be_bytes());
    bytes.extend(u32::try_from(counts.len()).unwrap_or(u32::MAX).to_be_bytes());
    bytes.extend(0_u32.to_be_bytes());
    bytes.extend(DIGITS.to_be_bytes());
    bytes.extend(1_u64.to_be_bytes());
    bytes.extend(SLOWEST.to_be_bytes());
    bytes.extend(1.0_f64.to_be_bytes());
    bytes.extend(counts);
    bytes
}

/// Where a value is counted.
fn index(value: u64) -> u64 {
    let mask = (2_u64 << HALF_MAGNITUDE) - 1;
    let bucket = 64 - (value | mask).leading_zeros() - (HALF_MAGNITUDE + 1);
    let within = value >> bucket;
    (u64::from(bucket + 1) << HALF_MAGNITUDE) + within - (1 << HALF_MAGNITUDE)
}

fn zigzag(number: i64, out: &mut Vec<u8>) {
    let mut rest = ((number << 1) ^ (number >> 63)) as u64;
    // Nine bytes at most: the ninth holds eight bits.
    for _ in 0..8 {
        if rest < 0x80 {
            break;
        }
        out.push((rest & 0x7F) as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// A zlib stream (RFC 1950) of stored blocks: valid, if not smaller.
fn compressed(plain: &[u8]) -> Vec<u8> {
    let mut stream = vec![0x78, 0x01];
    let mut blocks = plain.chunks(usize::from(u16::MAX)).peekable();
    while let Some(block) = blocks.next() {
        let length = u16::try_from(block.len()).unwrap_or(u16::MAX);
        stream.push(u8::from(blocks.peek().is_none()));
        stream.extend(length.to_le_bytes());
        stream.extend((!length).to_le_bytes());
        stream.extend(block);
    }
    let (mut low, mut high) = (1_u32, 0_u32);
    for byte in plain {
        low = (low + u32::from(*byte)) % 65_521;
        high = (high + low) % 65_521;
    }
    stream.extend((high << 16 | low).to_be_bytes());
    let length = u32::try_from(stream.len()).unwrap_or(u32::MAX);
    [&COMPRESSED.to_be_bytes()[..], &length.to_be_bytes(), &stream].concat()
}

/// RFC 4648, section 4.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let mut group = 0_u32;
        for place in 0..3 {
            group = group << 8 | u32::from(three.get(place).copied().unwrap_or_default());
        }
        for place in 0..4_usize {
            let digit = (group >> (18 - 6 * place) & 0x3F) as usize;
            let digit = DIGITS.get(digit).copied().unwrap_or(b'=');
            text.push(if place <= three.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_values_have_an_index_each_and_large_ones_share_them() {
        assert_eq!((index(0), index(1), index(2047), index(2048), index(2049)), (0, 1, 2047, 2048, 2048));
        assert_eq!((index(4095), index(4096), index(4099), index(4100)), (3071, 3072, 3072, 3073));
    }

    /// HdrHistogram's Python package reads what this writes.
    #[test]
    fn the_encoding_is_the_one_that_tools_read() {
        assert_eq!(base64(b"Man"), "TWFu");
        assert_eq!(base64(b"M"), "TQ==");
        let bytes = encoded(&[(5, 2), (7, 1)]);
        let (head, counts) = bytes.split_at(40);
        assert_eq!(head[..8], [0x1C, 0x84, 0x93, 0x13, 0, 0, 0, 4]);
        // Five zeros, 2, one zero, 1.
        assert_eq!(counts, [9, 4, 1, 2]);
        let mut wide = Vec::new();
        zigzag(-1_000, &mut wide);
        assert_eq!(wide, [0xCF, 0x0F]);
    }

    #[test]
    fn a_stream_of_stored_blocks_ends_with_its_checksum() {
        let stream = compressed(b"Wikipedia");
        assert_eq!(stream[8..15], [0x78, 0x01, 1, 9, 0, 0xF6, 0xFF]);
        assert_eq!(stream[stream.len() - 4..], [0x11, 0xE6, 0x03, 0x98], "the well known example of Adler-32");
    }
}
