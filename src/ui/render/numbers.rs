//! Numbers, sizes and lengths of time in the user's language.

use crate::text;

/// Unit of a length of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ui) enum TimeUnit {
    /// Seconds.
    Seconds,
    /// Minutes.
    Minutes,
    /// Hours.
    Hours,
    /// Days.
    Days,
}

/// Returns a length of time in words, as “5 minutes”.
pub(in crate::ui) fn time_text(count: u64, unit: TimeUnit) -> String {
    let unit = match unit {
        TimeUnit::Seconds => "seconds",
        TimeUnit::Minutes => "minutes",
        TimeUnit::Hours => "hours",
        TimeUnit::Days => "days",
    };
    text!("duration", count = count, unit = unit)
}

/// Returns a number of seconds in words, in the greatest unit that divides it: “10 minutes”.
pub(in crate::ui) fn seconds_text(seconds: u32) -> String {
    let units = [(86_400, TimeUnit::Days), (3_600, TimeUnit::Hours), (60, TimeUnit::Minutes)];
    let (size, unit) = units
        .into_iter()
        .find(|(size, _)| seconds >= *size && seconds.is_multiple_of(*size))
        .unwrap_or((1, TimeUnit::Seconds));
    time_text((seconds / size).into(), unit)
}

/// Formats a number with a separator between thousands, as `10,000`.
pub(in crate::ui) fn grouped(number: u64) -> String {
    let (digits, separator) = (number.to_string(), text!("number-thousands"));
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push_str(&separator);
        }
        out.push(digit);
    }
    out
}

/// Formats a number of tenths with one decimal, as `2.5`.
pub(in crate::ui) fn tenths(tenths: u64) -> String {
    format!("{}{}{}", grouped(tenths / 10), text!("number-decimal"), tenths % 10)
}

/// Formats a size in bytes with a decimal unit and at most one decimal, rounded down, as `1.5 GB`.
pub(in crate::ui) fn size(bytes: u64) -> String {
    let units = [("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000)];
    let Some((name, unit)) = units.into_iter().find(|(_, unit)| bytes >= *unit) else {
        return text!("size-bytes", count = bytes);
    };
    match bytes / (unit / 10) {
        all if all.is_multiple_of(10) => format!("{} {name}", grouped(all / 10)),
        all => format!("{} {name}", tenths(all)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::l10n::Language;
    use crate::l10n::tests::with_language;

    /// Numbers have thousands separators, and sizes are rounded down.
    #[test]
    fn numbers_and_sizes_are_formatted() {
        let numbers = || [7, 999, 10_000, 1_234_567].map(grouped);
        assert_eq!(numbers(), ["7", "999", "10,000", "1,234,567"]);
        let sizes = || [1, 999, 1_000, 64_000_000, 1_550_000_000, 4_000_000_000_000].map(size);
        assert_eq!(sizes(), ["1 byte", "999 bytes", "1 kB", "64 MB", "1.5 GB", "4,000 GB"]);
        with_language(Language::German, || {
            assert_eq!(numbers(), ["7", "999", "10.000", "1.234.567"]);
            assert_eq!(sizes(), ["1 Byte", "999 Bytes", "1 kB", "64 MB", "1,5 GB", "4.000 GB"]);
        });
    }

    /// Lengths of time are in the greatest unit that divides them, and in singular and plural.
    #[test]
    fn lengths_of_time_are_in_words() {
        let spans = || [1, 90, 60, 600, 3_600, 7_200, 86_400, 604_800].map(seconds_text);
        let english = "1 second, 90 seconds, 1 minute, 10 minutes, 1 hour, 2 hours, 1 day, 7 days";
        assert_eq!(spans().join(", "), english);
        let german =
            "1 Sekunde, 90 Sekunden, 1 Minute, 10 Minuten, 1 Stunde, 2 Stunden, 1 Tag, 7 Tage";
        with_language(Language::German, || assert_eq!(spans().join(", "), german));
    }
}
