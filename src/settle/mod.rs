//! What merchants are owed and issuers owe: fees, value dates, statements, reports. Pure: files are read and
//! written by others.
