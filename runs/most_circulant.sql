-- Which feature matrices are most circulant at the end, and in which order of rows and columns?
-- A random block has a circulance of about 1/p, a circulant one of 1.
WITH final AS (
    SELECT m.run_id, m.kind, m.step, mat_block(m.data) AS block
    FROM matrix m WHERE m.step = (SELECT max(l.step) FROM matrix l WHERE l.run_id = m.run_id AND l.kind = m.kind)
)
SELECT s.run, s.method, s.op, s.p, f.kind, f.step, mat_best_ordering(f.block) AS ordering,
       round(mat_circulance(f.block), 4) AS circulance, round(1.0 / s.p, 4) AS by_chance,
       mat_circulant_deviation(f.block) AS circulant_deviation
FROM final f JOIN run_summary s ON s.run_id = f.run_id
ORDER BY circulance DESC, f.run_id, f.kind;
