//! Numbers of colours in the palette of 256 that every terminal has. Unlike the first 16, those from
//! 16 on look the same everywhere.
//!
//! The tests compute contrasts as the Web Content Accessibility Guidelines (WCAG) define them.

/// Colours of names on the terminal's own background, which may be black or white. A colour has a
/// contrast of 4.5:1 to both only if its luminance is between 17.5 and 18.3 %; these are all of the
/// palette.
pub(super) const NAMES_ON_ANY: &[u8] = &[29, 63, 98, 131, 163];

/// Colours of names on [`DARK`].
pub(super) const NAMES_ON_DARK: &[u8] = &[210, 215, 221, 149, 78, 80, 75, 111, 141, 177, 205, 180];

/// Colours of names on [`LIGHT`].
pub(super) const NAMES_ON_LIGHT: &[u8] = &[124, 94, 58, 22, 23, 24, 26, 20, 55, 92, 127, 125];

/// Dark background.
pub(super) const DARK: u8 = 234;

/// Background of what is selected, on [`DARK`].
pub(super) const DARK_SELECTION: u8 = 236;

/// Light background.
pub(super) const LIGHT: u8 = 231;

/// Background of what is selected, on [`LIGHT`].
pub(super) const LIGHT_SELECTION: u8 = 254;

/// Red, green and blue of a colour of the palette, from 0 to 255; `None` for the first 16, which
/// users choose in their terminals.
#[cfg(test)]
pub(super) fn rgb(index: u8) -> Option<[u8; 3]> {
    let level = |step: u8| if step == 0 { 0 } else { 55 + 40 * step };
    match index {
        0..=15 => None,
        16..=231 => {
            let at = index - 16;
            Some([level(at / 36), level(at / 6 % 6), level(at % 6)])
        }
        232.. => Some([8 + 10 * (index - 232); 3]),
    }
}

/// Contrast of two colours, from 1 to 21.
#[cfg(test)]
pub(super) fn contrast(one: [u8; 3], other: [u8; 3]) -> f64 {
    let luminance = |color: [u8; 3]| {
        let [red, green, blue] = color.map(|part| {
            let part = f64::from(part) / 255.0;
            if part <= 0.040_45 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05
    };
    let (one, other) = (luminance(one), luminance(other));
    one.max(other) / one.min(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contrasts_are_those_of_the_guidelines() {
        assert!((contrast([0; 3], [255; 3]) - 21.0).abs() < 1e-9);
        assert!((contrast([119; 3], [255; 3]) - 4.48).abs() < 0.01);
        assert_eq!(rgb(16), Some([0; 3]));
        assert_eq!(rgb(231), Some([255; 3]));
        assert_eq!(rgb(208), Some([255, 135, 0]));
        assert_eq!(rgb(255), Some([238; 3]));
    }

    /// On any background, all colours of the palette that can be read are used for names, but grey.
    #[test]
    fn names_use_all_readable_colors() {
        let is_readable = |index: &u8| {
            let color = rgb(*index).unwrap();
            let is_grey = color == [color[0]; 3];
            !is_grey && [[0; 3], [255; 3]].iter().all(|ground| contrast(color, *ground) >= 4.5)
        };
        assert_eq!((16..=255).filter(is_readable).collect::<Vec<_>>(), NAMES_ON_ANY);
    }
}
