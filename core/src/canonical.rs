//! The canonical form of JSON, digested: what `connector.events.canonical_json` calls plain, and gives for it.
//!
//! Members are sorted, numbers have one spelling and strings too. `None` stands for content that only the thorough
//! reading in Python takes exactly: doubled members, long numbers, lone surrogates.

use blake2b_simd::many::{hash_many, HashManyJob};
use blake2b_simd::Params;

use crate::json::{code, Document, Kind, Node};

/// The bytes of a digest.
pub const DIGEST: usize = 16;
/// What the digests of canonical forms are personalised by.
pub const PLAIN: &[u8] = b"plain";
/// More digits than this in a row, and a number can be spelt in more than one way still.
const SHORT: usize = 17;
/// Exponents of more digits are left to Python.
const EXPONENT: usize = 6;

/// A digest.
pub type Digest = [u8; DIGEST];

/// The digests of many texts, which takes a fraction of the time that one after the other would.
pub fn digests<'a>(texts: impl Iterator<Item = &'a [u8]>, person: &[u8]) -> Vec<Digest> {
    let mut params = Params::new();
    params.hash_length(DIGEST).personal(person);
    let mut jobs: Vec<HashManyJob<'a>> = texts.map(|text| HashManyJob::new(&params, text)).collect();
    hash_many(jobs.iter_mut());
    jobs.iter().map(|job| fixed(job.to_hash().as_bytes())).collect()
}

/// Appends the canonical form of the value at a place; its digest is that of the `PLAIN` person.
pub fn canonical(document: &Document<'_>, at: usize, form: &mut Vec<u8>) -> Option<()> {
    let start = form.len();
    write(document, at, form)?;
    (!long(&form[start..])).then_some(())
}

fn fixed(bytes: &[u8]) -> Digest {
    let mut found = [0; DIGEST];
    found.copy_from_slice(bytes);
    found
}

fn write(document: &Document<'_>, at: usize, form: &mut Vec<u8>) -> Option<()> {
    let node = &document.nodes[at];
    match node.kind {
        Kind::Word | Kind::Plain => form.extend_from_slice(document.written(at)),
        Kind::Escaped => escaped(node.inside().of(document.text), form)?,
        Kind::Integer => integer(document.written(at), form)?,
        Kind::Fraction => fraction(document.written(at), form)?,
        Kind::Array => {
            form.push(b'[');
            for (number, child) in document.children(at).enumerate() {
                if number > 0 {
                    form.push(b',');
                }
                write(document, child, form)?;
            }
            form.push(b']');
        }
        Kind::Object => object(document, at, node, form)?,
    }
    Some(())
}

fn object(document: &Document<'_>, at: usize, node: &Node, form: &mut Vec<u8>) -> Option<()> {
    form.push(b'{');
    // One member, the usual map of locales, needs no sorting.
    if node.next as usize > at + 1 && document.nodes[at + 1].next == node.next {
        member(document, at + 1, form)?;
    } else {
        document.sorted(at, |members| {
            for (number, &child) in members.iter().enumerate() {
                if number > 0 {
                    form.push(b',');
                }
                member(document, child as usize, form)?;
            }
            Some(())
        })?;
    }
    form.push(b'}');
    Some(())
}

fn member(document: &Document<'_>, at: usize, form: &mut Vec<u8>) -> Option<()> {
    form.push(b'"');
    form.extend_from_slice(document.name(at));
    form.extend_from_slice(b"\":");
    write(document, at, form)
}

/// A string in its one spelling: escapes only where JSON needs them.
fn escaped(inside: &[u8], form: &mut Vec<u8>) -> Option<()> {
    form.push(b'"');
    let mut at = 0;
    while at < inside.len() {
        if inside[at] != b'\\' {
            let end = inside[at..].iter().position(|&byte| byte == b'\\').map_or(inside.len(), |more| at + more);
            form.extend_from_slice(&inside[at..end]);
            at = end;
            continue;
        }
        match inside[at + 1] {
            b'u' => {
                character(char::from_u32(code(inside, at + 2)?)?, form);
                at += 6;
            }
            b'/' => {
                form.push(b'/');
                at += 2;
            }
            other => {
                form.extend_from_slice(&[b'\\', other]);
                at += 2;
            }
        }
    }
    form.push(b'"');
    Some(())
}

fn character(character: char, form: &mut Vec<u8>) {
    match character {
        '"' => form.extend_from_slice(b"\\\""),
        '\\' => form.extend_from_slice(b"\\\\"),
        '\u{8}' => form.extend_from_slice(b"\\b"),
        '\u{c}' => form.extend_from_slice(b"\\f"),
        '\n' => form.extend_from_slice(b"\\n"),
        '\r' => form.extend_from_slice(b"\\r"),
        '\t' => form.extend_from_slice(b"\\t"),
        '\0'..='\u{1f}' => form.extend_from_slice(format!("\\u{:04x}", character as u32).as_bytes()),
        _ => form.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
    }
}

fn integer(written: &[u8], form: &mut Vec<u8>) -> Option<()> {
    let digits = written.strip_prefix(b"-").unwrap_or(written);
    if digits.len() > SHORT || (digits == b"0" && digits.len() < written.len()) {
        return None;
    }
    form.extend_from_slice(written);
    Some(())
}

/// A number's digits without zeros at either end, and its power of ten; a whole number of few digits as such.
fn fraction(written: &[u8], form: &mut Vec<u8>) -> Option<()> {
    let (sign, rest) = written.strip_prefix(b"-").map_or((&b""[..], written), |rest| (&b"-"[..], rest));
    let (mantissa, exponent) = match rest.iter().position(|byte| matches!(byte, b'e' | b'E')) {
        Some(at) => (&rest[..at], exponent(&rest[at + 1..])?),
        None => (rest, 0),
    };
    let (whole, after) = match mantissa.iter().position(|&byte| byte == b'.') {
        Some(at) => (&mantissa[..at], &mantissa[at + 1..]),
        None => (mantissa, &b""[..]),
    };
    let start = form.len();
    form.extend_from_slice(sign);
    form.extend(whole.iter().chain(after).skip_while(|&&digit| digit == b'0'));
    let digits = form.len() - start - sign.len();
    let zeros = form.iter().rev().take(digits).take_while(|&&digit| digit == b'0').count();
    let (kept, power) = (digits - zeros, exponent - after.len() as i64 + zeros as i64);
    form.truncate(form.len() - zeros);
    if kept == 0 {
        form.truncate(start);
        form.push(b'0');
        return Some(());
    }
    if power >= 0 && kept as i64 + power <= SHORT as i64 {
        form.resize(form.len() + power as usize, b'0');
        return Some(());
    }
    if power > 0 {
        return None;
    }
    form.push(b'e');
    decimal(power, form);
    Some(())
}

/// Appends a number in decimal digits.
pub fn decimal(number: i64, form: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let (mut at, mut rest) = (digits.len(), number.unsigned_abs());
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if number < 0 {
        form.push(b'-');
    }
    form.extend_from_slice(&digits[at..]);
}

fn exponent(written: &[u8]) -> Option<i64> {
    let digits = written.strip_prefix(b"+").unwrap_or(written);
    if digits.len() > EXPONENT {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Whether more than `SHORT` digits stand in a row: one of every `SHORT + 1` bytes would be among them.
fn long(form: &[u8]) -> bool {
    let run = SHORT + 1;
    (SHORT..form.len()).step_by(run).any(|at| {
        form[at].is_ascii_digit() && {
            let before = form[..at].iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
            let after = form[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            before + after >= run
        }
    })
}
