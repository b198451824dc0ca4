//! What the user has set with `/set`. It lasts: the driver keeps it in a file.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::conversation::{Attention, Place};
use crate::model::NameKey;
use crate::ui::full_screen::text::ColorScheme;

/// Settings of the full screen, for all servers. A setting that is not there is as usual.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WindowSettings {
    /// Colours; `None`: what the terminal allows.
    pub theme: Option<ColorScheme>,
    /// What calls for the user's attention: by the server's name, and there by the place (`#room` or
    /// `@name`, folded).
    notify: BTreeMap<String, BTreeMap<String, Attention>>,
}

impl WindowSettings {
    /// Returns what calls for the user's attention in a place of a server.
    #[must_use]
    pub fn attention(&self, server: &str, place: &Place) -> Attention {
        let set = || self.notify.get(server)?.get(&key_of(place)?).copied();
        set().unwrap_or_else(|| usual_attention(place))
    }

    /// Sets what calls for the user's attention in a place of a server.
    pub fn set_attention(&mut self, server: &str, place: &Place, attention: Attention) {
        let Some(key) = key_of(place) else { return };
        let places = self.notify.entry(server.to_owned()).or_default();
        if attention == usual_attention(place) {
            places.remove(&key);
        } else {
            places.insert(key, attention);
        }
        self.notify.retain(|_, places| !places.is_empty());
    }
}

/// Returns what calls for the user's attention in a place where nothing was set.
const fn usual_attention(place: &Place) -> Attention {
    match place {
        Place::Direct(_) => Attention::All,
        Place::Start | Place::Room(_) => Attention::Mentions,
    }
}

/// Returns the key of a place, the same for all spellings; `None` for the start, where there are no
/// messages.
fn key_of(place: &Place) -> Option<String> {
    let (mark, name) = match place {
        Place::Start => return None,
        Place::Room(name) => ('#', name),
        Place::Direct(name) => ('@', name),
    };
    Some(format!("{mark}{}", NameKey::of(name).as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is set holds for one server and one place, in any spelling; what is as usual is not kept.
    #[test]
    fn attention_is_set_for_a_place_of_a_server() {
        let (lobby, bob) = (Place::Room("Lobby".to_owned()), Place::Direct("bob".to_owned()));
        let mut settings = WindowSettings::default();
        assert_eq!(settings.attention("Club", &lobby), Attention::Mentions);
        assert_eq!(settings.attention("Club", &bob), Attention::All);
        settings.set_attention("Club", &lobby, Attention::Nothing);
        settings.set_attention("Club", &bob, Attention::Mentions);
        let spelled = Place::Room("LOBBY".to_owned());
        assert_eq!(settings.attention("Club", &spelled), Attention::Nothing);
        assert_eq!(settings.attention("School", &lobby), Attention::Mentions);
        assert_eq!(settings.attention("Club", &bob), Attention::Mentions);
        settings.set_attention("Club", &lobby, Attention::Mentions);
        settings.set_attention("Club", &bob, Attention::All);
        assert_eq!(settings, WindowSettings::default());
    }

    /// Settings are written and read again; what is missing or new in a file does no harm.
    #[test]
    fn settings_are_written_and_read() {
        let mut settings = WindowSettings { theme: Some(ColorScheme::Dark), ..Default::default() };
        settings.set_attention("Club", &Place::Room("lobby".to_owned()), Attention::All);
        let text = serde_json::to_string(&settings).unwrap();
        assert_eq!(text, r##"{"theme":"dark","notify":{"Club":{"#lobby":"all"}}}"##);
        assert_eq!(serde_json::from_str::<WindowSettings>(&text).unwrap(), settings);
        let newer: WindowSettings = serde_json::from_str(r#"{"sound":true}"#).unwrap();
        assert_eq!(newer, WindowSettings::default());
    }
}
