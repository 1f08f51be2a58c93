-- Runs once, when the volume is new.
CREATE TABLE tasks (
    id serial PRIMARY KEY,
    title text NOT NULL,
    done boolean NOT NULL DEFAULT false
);
INSERT INTO tasks (title, done) VALUES ('Write a compose file', true), ('Bring it up', false);
