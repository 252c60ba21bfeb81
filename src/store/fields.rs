//! Fields of the app's own, between their column (an object of strings) and the model.

use crate::model::CustomFields;

/// Reads a column.
pub(super) fn read(column: Option<String>) -> Result<CustomFields, sqlx::Error> {
    match column {
        None => Ok(CustomFields::new()),
        Some(text) => {
            serde_json::from_str(&text).map_err(|error| sqlx::Error::Decode(Box::new(error)))
        }
    }
}

/// Writes a column; without fields it is null.
pub(super) fn written(fields: &CustomFields) -> Option<String> {
    // An object of strings can always be written.
    (!fields.is_empty()).then(|| serde_json::to_string(fields).unwrap_or_default())
}
