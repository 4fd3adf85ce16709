-- Which frequencies does each seed's network learn, and how many seeds share each of them?
WITH found AS (
    SELECT e.run_id, CAST(f.value AS INTEGER) AS frequency
    FROM event e, json_each(e.detail, '$.frequencies') f
    WHERE e.kind = 'key_frequencies'
)
SELECT r.id AS run_id, r.name AS run, r.method, r.seed,
       (SELECT group_concat(frequency, ' ') FROM (SELECT frequency FROM found WHERE run_id = r.id ORDER BY frequency))
         AS key_frequencies,
       (SELECT count(*) FROM found WHERE run_id = r.id) AS n,
       (SELECT count(*) FROM found f WHERE f.run_id = r.id AND EXISTS (SELECT 1 FROM found o JOIN run q ON q.id = o.run_id
         WHERE o.frequency = f.frequency AND o.run_id <> f.run_id AND q.split_id = r.split_id AND q.method = r.method))
         AS shared_with_another
FROM run r
WHERE EXISTS (SELECT 1 FROM found WHERE run_id = r.id)
ORDER BY r.method, r.split_id, r.seed, r.id;
