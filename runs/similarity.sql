-- How alike are the feature matrices of different methods on one split, as training goes on?
-- Each stored step of one run against the last of the other: the RFM's M (metric), and the root of the networks' AGOP.
WITH feature AS (
    SELECT m.run_id, m.step, m.data, r.split_id, r.name AS run, r.method
    FROM run r CROSS JOIN matrix m ON m.run_id = r.id AND m.kind = CASE r.method WHEN 'rfm' THEN 'metric' ELSE 'sqrt_agop' END
), final AS (
    SELECT f.* FROM feature f WHERE f.step = (SELECT max(l.step) FROM feature l WHERE l.run_id = f.run_id)
)
SELECT a.run, a.method, a.step, b.run AS other, b.step AS other_step,
       round(mat_cosine(a.data, b.data), 4) AS cosine,
       round(mat_cosine(mat_nodiag(a.data), mat_nodiag(b.data)), 4) AS cosine_nodiag,
       round(mat_corr(mat_block(a.data), mat_block(b.data)), 4) AS corr_block
FROM feature a JOIN final b ON b.split_id = a.split_id AND b.method <> a.method
ORDER BY a.run_id, b.run_id, a.step;
