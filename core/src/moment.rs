//! The usual spelling of a point in time: `2024-05-05T05:05:05.123Z`, with no, three or six digits of a second.

/// The last year that is read here: later ones are beyond what a double of seconds holds to the microsecond.
const LAST_YEAR: i64 = 2099;

/// Microseconds since 1970, where a text is spelt as usual; any other is left to Python.
pub fn micros(text: &[u8]) -> Option<i64> {
    let (head, fraction) = match text.len() {
        20 => (&text[..19], &b""[..]),
        24 | 27 => (&text[..19], &text[20..text.len() - 1]),
        _ => return None,
    };
    if text.last() != Some(&b'Z') || (!fraction.is_empty() && text[19] != b'.') {
        return None;
    }
    for (at, mark) in [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')] {
        if head[at] != mark {
            return None;
        }
    }
    let part = |from: usize, to: usize| number(&head[from..to]);
    let (year, month, day) = (part(0, 4)?, part(5, 7)?, part(8, 10)?);
    let (hour, minute, second) = (part(11, 13)?, part(14, 16)?, part(17, 19)?);
    if !(1970..=LAST_YEAR).contains(&year) || !(1..=12).contains(&month) || day < 1 || day > days(year, month) {
        return None;
    }
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let below = if fraction.is_empty() { 0 } else { number(fraction)? * if fraction.len() == 3 { 1000 } else { 1 } };
    let seconds = since_epoch(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    Some(seconds * 1_000_000 + below)
}

/// Milliseconds since 1970 as RFC 3339 writes them.
pub fn written(millis: i64) -> String {
    let (days, rest) = (millis.div_euclid(86_400_000), millis.rem_euclid(86_400_000));
    let (year, month, day) = date(days);
    let (hour, minute, second) = (rest / 3_600_000, rest / 60_000 % 60, rest / 1000 % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", rest % 1000)
}

fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + i64::from(digit - b'0')))
}

fn days(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a date, in years that begin in March: a leap day is then a year's last.
fn since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

fn date(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, carried) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (year + era * 400 + carried, month, day)
}
