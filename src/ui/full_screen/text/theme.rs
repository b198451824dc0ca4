//! Colours of the interface.

use ratatui::style::{Color, Modifier, Style};
use serde::{Deserialize, Serialize};

use super::palette;
use crate::model::NameKey;

/// Which colours are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ColorScheme {
    /// Background and text have the terminal's own colours. The other colours can be read on black
    /// and on white.
    #[default]
    Terminal,
    /// Light text on a dark background.
    Dark,
    /// Dark text on a light background.
    Light,
    /// No colours: bold, italic, dim, underlined and reversed text only.
    Monochrome,
}

impl ColorScheme {
    /// Returns the scheme to use. `wanted` is what the user chose for this program. If that is
    /// nothing, there are no colours if the environment variable `NO_COLOR` is set and not empty
    /// (<https://no-color.org>); `no_color` is its value.
    #[must_use]
    pub fn choose(wanted: Option<Self>, no_color: Option<&str>) -> Self {
        match no_color {
            Some(value) if !value.is_empty() => wanted.unwrap_or(Self::Monochrome),
            _ => wanted.unwrap_or_default(),
        }
    }
}

/// Styles of everything that is drawn. Each comes on top of [`Theme::base`].
#[derive(Clone, Debug)]
pub struct Theme {
    /// Everything that has no other style. It fills the screen.
    pub base: Style,
    /// The user's own name.
    pub own_name: Style,
    /// Time of a message.
    pub time: Style,
    /// What is not certain yet, such as a message on its way, and hints.
    pub dim: Style,
    /// What happened, such as somebody who joined.
    pub status: Style,
    /// What went wrong.
    pub error: Style,
    /// The user's own name in a message of somebody else; words that were searched for.
    pub mention: Style,
    /// Line with a date between messages.
    pub date: Style,
    /// What is selected.
    pub selection: Style,
    /// Number of unread messages, and where they begin.
    pub unread: Style,
    /// Link in a message.
    pub link: Style,
    /// Border between parts of the screen.
    pub border: Style,
    /// Border of the part that gets what is typed.
    pub active_border: Style,
    /// Title of a part of the screen.
    pub title: Style,
    /// Code in a message.
    pub code: Style,
    /// Numbers of the colours that names of others have; empty without colours.
    names: &'static [u8],
}

/// Numbers of the colours of a theme in the palette of 256.
struct Colors {
    /// Names of others.
    names: &'static [u8],
    /// Time, status, borders and everything dim.
    grey: u8,
    /// Errors.
    red: u8,
    /// Links, and the border of the active part.
    blue: u8,
    /// Code.
    green: u8,
    /// Mentions and unread messages.
    magenta: u8,
}

impl Theme {
    /// Makes the theme of a scheme.
    #[must_use]
    pub fn new(scheme: ColorScheme) -> Self {
        use palette::{DARK, DARK_SELECTION, LIGHT, LIGHT_SELECTION};
        use palette::{NAMES_ON_ANY, NAMES_ON_DARK, NAMES_ON_LIGHT};

        match scheme {
            ColorScheme::Terminal => Self::colored(
                Style::default(),
                Style::default().add_modifier(Modifier::REVERSED),
                &Colors {
                    names: NAMES_ON_ANY,
                    grey: 243,
                    red: 131,
                    blue: 63,
                    green: 29,
                    magenta: 163,
                },
            ),
            ColorScheme::Dark => Self::colored(
                color(252).bg(Color::Indexed(DARK)),
                Style::default().bg(Color::Indexed(DARK_SELECTION)),
                &Colors {
                    names: NAMES_ON_DARK,
                    grey: 247,
                    red: 210,
                    blue: 75,
                    green: 149,
                    magenta: 205,
                },
            ),
            ColorScheme::Light => Self::colored(
                color(234).bg(Color::Indexed(LIGHT)),
                Style::default().bg(Color::Indexed(LIGHT_SELECTION)),
                &Colors {
                    names: NAMES_ON_LIGHT,
                    grey: 241,
                    red: 124,
                    blue: 26,
                    green: 22,
                    magenta: 127,
                },
            ),
            ColorScheme::Monochrome => Self::monochrome(),
        }
    }

    /// Makes a theme with colours.
    fn colored(base: Style, selection: Style, colors: &Colors) -> Self {
        let grey = color(colors.grey);
        Self {
            base,
            own_name: Style::default().add_modifier(Modifier::BOLD),
            time: grey,
            dim: grey,
            status: grey.add_modifier(Modifier::ITALIC),
            error: color(colors.red).add_modifier(Modifier::BOLD),
            mention: color(colors.magenta).add_modifier(Modifier::BOLD),
            date: grey.add_modifier(Modifier::BOLD),
            selection,
            unread: color(colors.magenta).add_modifier(Modifier::BOLD),
            link: color(colors.blue).add_modifier(Modifier::UNDERLINED),
            border: grey,
            active_border: color(colors.blue).add_modifier(Modifier::BOLD),
            title: Style::default().add_modifier(Modifier::BOLD),
            code: color(colors.green),
            names: colors.names,
        }
    }

    /// Makes the theme without colours. Nothing is told by colour alone.
    fn monochrome() -> Self {
        let plain = Style::default();
        let bold = plain.add_modifier(Modifier::BOLD);
        let dim = plain.add_modifier(Modifier::DIM);
        Self {
            base: plain,
            own_name: bold.add_modifier(Modifier::ITALIC),
            time: dim,
            dim,
            status: dim.add_modifier(Modifier::ITALIC),
            error: bold,
            mention: bold.add_modifier(Modifier::REVERSED),
            date: bold,
            selection: plain.add_modifier(Modifier::REVERSED),
            unread: bold,
            link: plain.add_modifier(Modifier::UNDERLINED),
            border: dim,
            active_border: bold,
            title: bold,
            code: dim,
            names: &[],
        }
    }

    /// Returns the style of another user's name. Spellings of the same name have the same colour,
    /// here and on every other device with the same scheme; different names may share one.
    #[must_use]
    pub fn name(&self, name: &str) -> Style {
        let style = Style::default().add_modifier(Modifier::BOLD);
        let hash = fnv1a(NameKey::of(name).as_str());
        let count = u64::try_from(self.names.len()).unwrap_or_default();
        let number = hash.checked_rem(count).and_then(|it| usize::try_from(it).ok());
        match number.and_then(|it| self.names.get(it)) {
            Some(number) => style.fg(Color::Indexed(*number)),
            None => style,
        }
    }
}

/// Returns the style with a colour of the palette.
fn color(number: u8) -> Style {
    Style::default().fg(Color::Indexed(number))
}

/// Computes the hash FNV-1a of a text, with its high bits mixed into the low ones: the number of
/// colours is small.
fn fnv1a(text: &str) -> u64 {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash ^ (hash >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::full_screen::text::palette::{contrast, rgb};

    /// Schemes with colours, with the backgrounds that text may stand on.
    const BACKGROUNDS: [(ColorScheme, [u8; 2]); 3] = [
        // Black and white.
        (ColorScheme::Terminal, [16, 231]),
        (ColorScheme::Dark, [palette::DARK, palette::DARK_SELECTION]),
        (ColorScheme::Light, [palette::LIGHT, palette::LIGHT_SELECTION]),
    ];

    /// All schemes.
    const SCHEMES: [ColorScheme; 4] =
        [ColorScheme::Terminal, ColorScheme::Dark, ColorScheme::Light, ColorScheme::Monochrome];

    /// Returns all styles of a theme: some names' last.
    fn styles(theme: &Theme) -> Vec<Style> {
        let mut styles = vec![
            theme.base,
            theme.own_name,
            theme.time,
            theme.dim,
            theme.status,
            theme.error,
            theme.mention,
            theme.date,
            theme.selection,
            theme.unread,
            theme.link,
            theme.border,
            theme.active_border,
            theme.title,
            theme.code,
        ];
        styles.extend((0..100).map(|number| theme.name(&format!("user{number}"))));
        styles
    }

    /// Returns the number of a colour in the palette.
    fn number(color: Color) -> u8 {
        let Color::Indexed(number) = color else { panic!("{color:?}") };
        number
    }

    #[test]
    fn all_colors_can_be_read() {
        for (scheme, backgrounds) in BACKGROUNDS {
            let theme = Theme::new(scheme);
            for color in styles(&theme).iter().filter_map(|style| style.fg) {
                for background in backgrounds {
                    let value = contrast(rgb(number(color)).unwrap(), rgb(background).unwrap());
                    assert!(value >= 4.5, "{scheme:?}: {color} on {background}: {value:.2}");
                }
            }
            let grounds: Vec<_> = styles(&theme).iter().filter_map(|style| style.bg).collect();
            let is_known = |ground: &Color| backgrounds.contains(&number(*ground));
            assert!(grounds.iter().all(is_known), "{scheme:?}: {grounds:?}");
        }
    }

    #[test]
    fn names_have_stable_colors() {
        for scheme in SCHEMES {
            let theme = Theme::new(scheme);
            assert_eq!(theme.name("Anna"), theme.name("anna"));
            assert_eq!(theme.name("ÉMILE"), theme.name("e\u{301}mile"));
        }
        let color = |scheme, name| number(Theme::new(scheme).name(name).fg.unwrap());
        // The same with every version of the program.
        let anna = [ColorScheme::Terminal, ColorScheme::Dark, ColorScheme::Light]
            .map(|it| color(it, "anna"));
        assert_eq!(anna, [98, 78, 23]);
    }

    #[test]
    fn names_use_all_colors_equally() {
        for (scheme, names) in
            [(ColorScheme::Terminal, 5), (ColorScheme::Dark, 12), (ColorScheme::Light, 12)]
        {
            let theme = Theme::new(scheme);
            let mut uses = [0; 256];
            for number_of_name in 0..1_200 {
                uses[usize::from(number(
                    theme.name(&format!("user{number_of_name}")).fg.unwrap(),
                ))] += 1;
            }
            let used: Vec<i32> = uses.into_iter().filter(|count| *count > 0).collect();
            assert_eq!(used.len(), names, "{scheme:?}");
            let share = 1_200 / i32::try_from(names).unwrap();
            assert!(
                used.iter().all(|count| (count - share).abs() < share / 2),
                "{scheme:?}: {used:?}"
            );
        }
    }

    #[test]
    fn without_colors_nothing_has_one() {
        let theme = Theme::new(ColorScheme::Monochrome);
        assert!(styles(&theme).iter().all(|style| style.fg.is_none() && style.bg.is_none()));
        assert_ne!(theme.name("anna"), theme.own_name);
        assert_ne!(theme.mention, theme.base);
    }

    #[test]
    fn no_color_is_obeyed_unless_the_user_chose() {
        use ColorScheme::{Dark, Monochrome, Terminal};
        let cases = [
            (None, None, Terminal),
            (None, Some(""), Terminal),
            (None, Some("1"), Monochrome),
            (None, Some("0"), Monochrome),
            (Some(Dark), Some("1"), Dark),
            (Some(Monochrome), None, Monochrome),
        ];
        for (wanted, no_color, chosen) in cases {
            assert_eq!(ColorScheme::choose(wanted, no_color), chosen, "{wanted:?}, {no_color:?}");
        }
    }
}
