-- +goose Up

-- SQLite gets an index by state here; PostgreSQL cannot merge several states in
-- the order of spotting while it passes locked rows by, and keeps uploads_open.
SELECT 1;
